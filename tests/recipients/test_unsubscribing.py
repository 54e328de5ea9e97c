"""Links by which recipients unsubscribe: nobody else reads, makes or changes one."""

import re
from base64 import b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.recipients.unsubscribing import LONGEST_TOKEN, Links, Subscription, links_of
from outreach_stream.settings import Settings
from outreach_stream.values import UnresolvedReference

RUN = "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11"
KEY, OTHER = "k" * 32, "o" * 44
LINKS = Links("https://mail.example.com/", [KEY])
ADA = Subscription("newsletter", "ada@example.com", RUN)
VECTOR = ("AZxYsUGAWS0i_eb1DU1Gx_e8u-opWoEVXbIvYDS9ysVlc04Eb8ecL2hmDQZe"
          "9_RE-JlxkbhsksL_OUEp-VgzKYJzQWAWz5cv98yglyuvTdI")
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)
emails = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=3, max_size=254)


def token(who: Subscription = ADA, links: Links = LINKS) -> str:
    return links.url(*who).rpartition("/")[2]


def test_a_link_is_what_it_was() -> None:
    """Those in mails that were sent long ago are read by every later version."""
    assert LINKS.url(*ADA) == f"https://mail.example.com/u/{VECTOR}"
    assert LINKS.read(VECTOR) == ADA


@given(names, emails)
def test_whoever_is_in_a_link_comes_out_of_it(name: str, email: str) -> None:
    """Any list, any address; a link is the same each time, and fit for a header as it is."""
    who = Subscription(name, email, RUN)

    assert LINKS.read(token(who)) == who
    assert token(who) == token(who)
    assert re.fullmatch("[A-Za-z0-9_-]+", token(who))


def test_the_longest_fits() -> None:
    """The longest list's name and address make a link that is read, and that every provider takes in a header."""
    who = Subscription("n" * 100, "a" * 64 + "@" + "d" * 185 + ".com", RUN)
    longest = Links("https://" + "h" * 242, [KEY])

    assert len(token(who)) <= LONGEST_TOKEN
    assert len(longest.url(*who)) <= 860
    assert LINKS.read(token(who)) == who


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_link_is_none(place: int, change: int) -> None:
    """Whichever byte is another."""
    data = bytearray(b64decode(VECTOR + "==", altchars=b"-_"))
    data[place % len(data)] ^= change

    assert LINKS.read(urlsafe_b64encode(data).rstrip(b"=").decode()) is None


@given(st.one_of(st.text(max_size=700), st.text("AB-_z9", max_size=700), st.integers(0, 400).map(
    lambda length: VECTOR[:length] if length < len(VECTOR) else VECTOR + "A" * (length + 1 - len(VECTOR)))))
def test_what_we_did_not_make_is_none(odd: str) -> None:
    """Anything else is no link, and no error either: cut off, made longer, of any characters."""
    assert LINKS.read(odd) is None


def test_a_link_has_one_spelling() -> None:
    """Another last character that stands for the same bytes, padding, spaces: none of ours."""
    end = VECTOR[-1]
    others = [VECTOR[:-1] + other for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
              if other != end]

    for odd in (*others, VECTOR + "=", VECTOR + "\n", f" {VECTOR}", VECTOR.replace("_", "/")):
        assert odd == VECTOR or LINKS.read(odd) is None


def test_no_address_and_no_list_stands_in_a_link() -> None:
    """Proxies write links into their logs: nothing of it can be read there, and equal beginnings do not show."""
    others = [token(ADA._replace(email=f"ad{letter}@example.com")) for letter in "abcdef"]

    assert all(word not in b64decode(VECTOR + "==", altchars=b"-_") for word in (b"ada", b"example", b"newsletter"))
    assert len({other[2:10] for other in others}) == len(others)


def test_keys_are_changed_without_breaking_links() -> None:
    """The first signs, all are read; a key that is gone takes its links with it."""
    rotated = Links("https://mail.example.com", [OTHER, KEY])

    assert rotated.read(VECTOR) == ADA
    assert LINKS.read(token(links=rotated)) is None
    assert Links("https://mail.example.com", [OTHER]).read(VECTOR) is None


def test_keys_come_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """None without both settings; one that is too short or not there is named by its reference, never by its text."""
    monkeypatch.setenv("ONE", OTHER)
    monkeypatch.setenv("TWO", KEY)
    monkeypatch.setenv("SHORT", "too-short-a-key")

    def links(keys: str | None, url: str | None = "https://mail.example.com/x/") -> Links | None:
        return links_of(Settings(public_url=url, unsubscribe_key=keys))

    both = links("env:ONE, env:TWO")
    assert both is not None
    assert both.read(VECTOR) == ADA
    assert both.url(*ADA).startswith("https://mail.example.com/x/u/")
    assert links(None) is None is links("env:ONE", None)
    with pytest.raises(UnresolvedReference, match="fewer than 32 bytes") as short:
        links("env:TWO,env:SHORT")
    assert "too-short-a-key" not in str(short.value)
    with pytest.raises(UnresolvedReference, match="GONE is not set"):
        links("env:GONE")


@pytest.mark.parametrize("url", ["http://mail.example.com", "mail.example.com", "https://u:p@h.example", "ftp://h.example",
                                 "https://h.example/?a=b", "https://h.example/a,b", "https://" + "h" * 300])
def test_an_address_that_no_header_can_have_is_refused(url: str) -> None:
    """RFC 8058 demands https; what the header's syntax or a provider's limit excludes is told at the start."""
    with pytest.raises(ValueError, match="public_url"):
        Settings(public_url=url)
