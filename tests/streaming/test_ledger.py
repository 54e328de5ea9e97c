"""The ledger: in order, and no hole believed before it was read twice."""

import pytest

from outreach_stream.streaming.batch import Gate
from outreach_stream.streaming.lease import Lease
from outreach_stream.streaming.ledger import Ledger, cut
from tests.streaming.conftest import TP0, record, span


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(TP0, Gate(Lease()), start=0)
    ledger.reading_again()
    return ledger


def test_the_lowest_unfinished_offset_is_committable(ledger: Ledger) -> None:
    """Later batches that are finished move nothing; the oldest one's first unfinished record does."""
    oldest, middle = ledger.admit(span(0, 10)), ledger.admit(span(10, 20))
    assert oldest
    assert middle

    middle.done()
    before = ledger.committable()
    for i in (1, 2, 0):
        oldest.done(i)
    half = ledger.committable()
    oldest.done()

    assert (before, half, ledger.committable()) == (0, 3, 20)
    assert ledger.load == 0


def test_what_was_handed_out_is_not_handed_out_again(ledger: Ledger) -> None:
    """A fetch that begins before the next offset is cut to what is new."""
    ledger.admit(span(0, 2))

    batch = ledger.admit(span(1, 3))

    assert batch
    assert [r.offset for r in batch.records] == [2]
    assert ledger.admit(span(0, 3)) is None


def test_a_hole_after_a_drop_is_read_again_first(ledger: Ledger) -> None:
    """Records 0 to 4 may have been dropped by Faust: 5 is refused until the log was read from 0 again."""
    ledger.mark_suspect()

    assert ledger.admit([record(5)]) is None
    assert ledger.must_read_again()
    ledger.reading_again()
    assert not ledger.must_read_again()
    assert ledger.admit([record(5)]) is not None


def test_a_hole_without_a_drop_is_compaction(ledger: Ledger) -> None:
    """Transaction markers and compaction leave holes; they are passed over without a second read."""
    ledger.admit(span(0, 2))

    assert ledger.admit([record(7)]) is not None
    assert not ledger.must_read_again()


def test_a_closed_ledger_kills_its_batches(ledger: Ledger) -> None:
    """What an old batch says later has no effect."""
    batch = ledger.admit(span(0, 2))
    assert batch

    ledger.close()
    batch.done()

    assert not batch.live


@pytest.mark.parametrize(("sizes", "runs"), [
    ([1] * 7, [3, 3, 1]),
    ([60, 60, 1], [1, 2]),
    ([500, 1, 1, 1], [1, 3]),
    ([1], [1]),
])
def test_a_fetch_is_cut_by_records_and_by_bytes(sizes: list[int], runs: list[int]) -> None:
    """At most three records and a hundred bytes here; a larger record travels alone."""
    records = [record(offset, size) for offset, size in enumerate(sizes)]

    assert runs == [len(run) for run in cut(records, 3, 100)]
