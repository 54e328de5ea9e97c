"""The ledger against a simple model: a log with holes, whose records are fetched, dropped, finished, committed."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from outreach_stream.streaming.batch import Batch, Gate
from outreach_stream.streaming.lease import Lease
from outreach_stream.streaming.ledger import Ledger
from tests.streaming.conftest import TP0, record

LOG_END = 60


class LedgerModel(RuleBasedStateMachine):
    """A partition, its consumer's position, and a ledger that must neither lose nor repeat what it hands out."""

    def __init__(self) -> None:
        super().__init__()
        self.lease = Lease(1e9)
        self.lease.heard(1e9, 0)
        self.ledger = Ledger(TP0, Gate(self.lease), start=0)
        self.holes: set[int] = set()
        self.position = 0
        self.batches: list[Batch] = []
        self.given: list[int] = []
        self.finished: set[int] = set()

    @rule(holes=st.sets(st.integers(0, LOG_END - 1), max_size=20))
    @precondition(lambda self: not self.given)
    def compacted(self, holes: set[int]) -> None:
        self.holes = holes

    @rule(count=st.integers(1, 12), dropped=st.booleans())
    def fetched(self, count: int, dropped: bool) -> None:
        """The consumer moves on in any case; what Faust drops is not offered, and the ledger is told."""
        if self.ledger.must_read_again():
            self.position = self.ledger.next_offset
            self.ledger.reading_again()
        records = [record(offset) for offset in range(self.position, LOG_END) if offset not in self.holes][:count]
        if not records:
            return
        self.position = records[-1].offset + 1
        if dropped:
            self.ledger.mark_suspect()
        elif batch := self.ledger.admit(records):
            self.batches.append(batch)
            self.given += [each.offset for each in batch.records]

    @rule(back=st.integers(0, 10))
    def delivered_again(self, back: int) -> None:
        """A seek goes back further than it had to."""
        self.position = max(0, self.position - back)

    @rule(data=st.data())
    @precondition(lambda self: any(batch.unfinished for batch in self.batches))
    def worked(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from([each for each in self.batches if each.unfinished]))
        i = data.draw(st.integers(0, len(batch.records) - 1))
        assert batch.claim_nowait(i)
        if data.draw(st.booleans()):
            batch.done(i)
            self.finished.add(batch.records[i].offset)
        else:
            batch.release(i)

    @invariant()
    def each_is_handed_out_once_and_in_order(self) -> None:
        """And none that lies before the last one is missing."""
        assert self.given == sorted(set(self.given))
        if self.given:
            assert self.given == [offset for offset in range(self.given[-1] + 1) if offset not in self.holes]

    @invariant()
    def the_commit_passes_no_unfinished_record(self) -> None:
        unfinished = [offset for offset in self.given if offset not in self.finished]
        expected = unfinished[0] if unfinished else self.ledger.next_offset
        assert self.ledger.committable() == expected
        assert self.ledger.claimed() == 0
        assert self.ledger.load >= len(unfinished)

    def teardown(self) -> None:
        """When the partition leaves, nothing that is still said of its batches has any effect."""
        self.ledger.close()
        assert not any(batch.live for batch in self.batches if batch.unfinished)


LedgerModel.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLedger = LedgerModel.TestCase
