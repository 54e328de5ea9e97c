from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.states import RecipientStatus

settings_of_bits = st.lists(st.tuples(st.sampled_from(Mark), st.integers(0, 1023)), max_size=60)


def marks_of(bits):
    marks = Marks()
    for mark, index in bits:
        marks.set(mark, index)
    return marks


@given(settings_of_bits)
def test_encoding_keeps_every_bit(bits):
    """What is decoded is what was encoded, also with other bytes behind it."""
    marks = marks_of(bits)
    data = marks.encode()

    assert Marks.decode(data + b"tail").bits == marks.bits
    assert Marks.encoded_size(data + b"tail") == len(data)


@given(settings_of_bits, settings_of_bits)
def test_copies_merge_in_any_order(left, right):
    """Two processes' copies give the same merged one, whichever is read first, and merging again changes nothing."""
    one, other, both = marks_of(left), marks_of(right), marks_of(left + right)
    one.merge(marks_of(right))
    other.merge(marks_of(left))
    other.merge(marks_of(left))

    assert one.bits == other.bits == both.bits


@given(settings_of_bits)
def test_every_recipient_is_counted_once_under_the_strongest_end(bits):
    """Counts agree with a plain model: for each recipient the strongest of its ends."""
    marks = marks_of(bits)
    ends = [end for index in range(1024) if (end := marks.end(index))]

    assert {s: n for s, n in marks.counts().items() if n} == {s: ends.count(s) for s in set(ends)}


def test_sent_outweighs_whatever_else_is_said():
    """A mail that went out is sent, even where another process gave it up."""
    marks = marks_of([(Mark.FAILED, 3), (Mark.EXPIRED, 3), (Mark.IN_DOUBT, 3)])
    assert marks.end(3) is RecipientStatus.IN_DOUBT

    marks.set(Mark.SENT, 3)

    assert marks.end(3) is RecipientStatus.SENT
