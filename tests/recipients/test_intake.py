"""Who is mailed and who is left out."""

import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.recipients.addresses import AddressSet, canonical_address
from outreach_stream.recipients.failures import MissingEmailColumn, QueryFailed, RecipientsFailed
from outreach_stream.recipients.intake import Columns, Intake, Recipient, Skipped
from outreach_stream.recipients.suppression import read_suppression_file

pieces = st.lists(st.sampled_from([*"aZ9.-_+@'\"( ", "..", "xn--", "é", "com", "example", "x" * 63]), max_size=12)
words = pieces.map("".join)


def reference(text):
    """What email-validator alone says, with our rule on domains."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        return None
    good = "." in found.ascii_domain and found.ascii_domain[-1].isalpha()
    return f"{found.local_part}@{found.ascii_domain}" if good else None


@given(st.one_of(st.emails(), words, st.builds("{}@{}.com".format, words, words)))
@settings(max_examples=1_500, deadline=None)
def test_the_fast_road_agrees_with_email_validator(text):
    """The two roads accept and refuse the same addresses; only the case of a domain may differ."""
    ours, theirs = canonical_address(text), reference(text)

    assert (ours is None) == (theirs is None)
    assert ours is None or ours.lower() == theirs.lower()


@pytest.mark.parametrize(("text", "address"), [
    (" ada@example.com ", "ada@example.com"),
    ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ("jürgen@example.com", "jürgen@example.com"),
    ("ada@example", None),
    ("ada@10.0.0.1", None),
    ("ada@example.com\nbcc: b@example.com", None),
    ("<ada@example.com>", None),
    ("a" * 65 + "@example.com", None),
    ("", None),
])
def test_addresses(text, address):
    """Addresses are trimmed, domains become ASCII, mistakes are refused."""
    assert canonical_address(text) == address


def test_invalid_suppressed_and_duplicate_are_counted():
    """The first of several rows counts; case does not make another mailbox; each skip has its reason."""
    intake = Intake(AddressSet(["Gone@Example.com"]))
    rows = ["a@example.com", "A@EXAMPLE.com", "gone@example.com", "nonsense", None, "b@example.com"]

    decided = [intake.decide(email, None, {}) for email in rows]

    assert [type(item) for item in decided] == [Recipient, Skipped, Skipped, Skipped, Skipped, Recipient]
    assert [item.reason for item in decided if isinstance(item, Skipped)] == \
        ["duplicate", "suppressed", "invalid", "invalid"]
    assert intake.skipped == {"duplicate": 1, "suppressed": 1, "invalid": 2}


def test_a_name_is_one_line():
    """Line breaks and control characters in a name become spaces; variables keep theirs."""
    found = Intake().decide("a@example.com", "Ada\r\nBcc: b@example.com\0", {"street": "1 Road\n2nd floor"})

    assert found == Recipient("a@example.com", "Ada Bcc: b@example.com", {"street": "1 Road\n2nd floor"})


def test_values_are_fit_for_json():
    """Dates, decimals and UUIDs become text, also within lists; what cannot be printed is refused by column."""
    variables = {
        "day": date(2024, 2, 29), "at": datetime(2024, 1, 1, tzinfo=UTC), "sum": Decimal("1.50"), "none": None,
        "id": UUID(int=1), "list": [Decimal(2), "x"], "nan": float("nan"), "ratio": 0.5,
    }
    found = Intake().decide("a@example.com", "", variables)

    assert found.variables == {
        "day": "2024-02-29", "at": "2024-01-01T00:00:00+00:00", "sum": "1.50", "none": None,
        "id": "00000000-0000-0000-0000-000000000001", "list": ["2", "x"], "nan": "nan", "ratio": 0.5,
    }
    with pytest.raises(QueryFailed, match="column photo holds bytes"):
        Intake().decide("b@example.com", "", {"photo": b"x"})


def test_columns():
    """`email` is required, `name` is not; the error lists what there is."""
    columns = Columns(["city", "email", "name"])

    assert columns.decide(Intake(), ("Bath", "a@example.com", "Ada")) == \
        Recipient("a@example.com", "Ada", {"city": "Bath"})
    with pytest.raises(MissingEmailColumn, match="it has: mail, city"):
        Columns(["mail", "city"])
    with pytest.raises(QueryFailed, match="two columns named city"):
        Columns(["email", "city", "city"])


def test_a_set_of_addresses_is_small():
    """Two hundred thousand addresses take a few megabytes, and none is lost or confused."""
    tracemalloc.start()
    known = AddressSet(f"person{n}@example.com" for n in range(200_000))
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert len(known) == 200_000
    assert "person199999@EXAMPLE.com" in known
    assert "person200000@example.com" not in known
    assert size < 20_000_000


def test_a_set_keeps_everybody_as_it_grows():
    """From few to many, each address is new once, and then it is in."""
    known = AddressSet()
    for n in range(33_000):
        assert known.add(f"person{n}@example.com")
        if n in {0, 32_766, 32_767, 32_768, 32_999}:
            assert len(known) == n + 1
            assert not any(known.add(f"Person{earlier}@example.com") for earlier in range(0, n + 1, 97))
            assert f"person{n}@example.com" in known
            assert f"person{n + 1}@example.com" not in known


def test_suppression_file(tmp_path):
    """One address a line; a file that cannot be read stops the run."""
    file = tmp_path / "no.txt"
    file.write_text("# said no\nA@example.com\n\n b@bücher.example\n", encoding="utf-8")

    known = read_suppression_file(file)

    assert "a@example.com" in known
    assert "b@xn--bcher-kva.example" in known
    assert len(known) == 2
    with pytest.raises(RecipientsFailed, match="cannot be read"):
        read_suppression_file(tmp_path / "gone.txt")
