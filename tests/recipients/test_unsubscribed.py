"""Who has left which list, in little memory, as the topic tells it."""

import tracemalloc
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.recipients.unsubscribed import Digests, Unsubscribed, suppression_key

digests = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.lists(st.sampled_from([b"\0", b"\x01"]), min_size=16, max_size=16).map(b"".join),
    st.sampled_from([b"ab" * 8, b"aa" * 8, b"ab" + b"a" * 14, b"ab" + b"ba" * 7]))


@given(st.lists(st.tuples(st.booleans(), digests), max_size=60), st.lists(digests, max_size=20))
def test_it_is_a_set(changes: list[tuple[bool, bytes]], asked: list[bytes]) -> None:
    """Whatever is put in and out, in any order, also where one digest looks like parts of two others."""
    ours, model = Digests(), set()
    for new, digest in changes:
        (ours.add if new else ours.discard)(digest)
        (model.add if new else model.discard)(digest)

    assert len(ours) == len(model)
    assert [digest in ours for digest in (*asked, *(each for _, each in changes))] == [
        digest in model for digest in (*asked, *(each for _, each in changes))]


def test_a_hundred_thousand_in_a_few_megabytes() -> None:
    """Memory is bounded by what was put in: a million take 21 MB."""
    tracemalloc.start()
    held = Digests()
    for number in range(100_000):
        held.add(sha256(b"%d" % number).digest()[:16])
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(held) == 100_000
    assert size < 10_000_000


def test_a_mailbox_has_one_key_however_it_is_spelt() -> None:
    """The contract with other services: SHA-256 of list, a zero byte, and the address in small letters."""
    assert suppression_key("newsletter", "Ada@Example.com") == suppression_key("newsletter", "ada@example.com")
    assert suppression_key("newsletter", "ada@example.com") == (
        sha256(b"newsletter\0ada@example.com").hexdigest()[:32].encode())
    assert suppression_key("news", "ada@example.com") != suppression_key("newsletter", "ada@example.com")


def test_records_are_taken_in_as_they_come() -> None:
    """The last of a key counts; a value that nobody can read counts, too, and an odd key is passed over."""
    lists = Unsubscribed()
    ada, bob = suppression_key("news", "ada@example.com"), suppression_key("news", "bob@example.com")

    for key, value in ((ada, b"{}"), (ada, b"{}"), (bob, b"\xff"), (b"", b"{}"), (b"z" * 32, b"{}"), (b"z", None)):
        lists.note(key, value)
    assert lists.has("news", "ADA@example.com")
    assert (lists.has("offers", "ada@example.com"), len(lists)) == (False, 2)
    assert "bob@example.com" in lists.of("news")
    assert "bob@example.com" not in lists.of("offers")
    assert "bob@example.com" not in lists.of(None)

    lists.note(suppression_key("news", "cy@example.com").upper(), b"{}")   # as some languages write digests
    assert lists.has("news", "cy@example.com")
    lists.note(suppression_key("news", "cy@example.com"), None)

    lists.note(ada, None)
    lists.note(ada, None)
    assert (lists.has("news", "ada@example.com"), len(lists)) == (False, 1)
