"""A batch's records: waiting, claimed, finished."""

import asyncio
from time import monotonic

import pytest
from faust.types import TP

from outreach_stream.streaming.batch import Batch, Gate
from outreach_stream.streaming.lease import LOST, Lease


@pytest.fixture
def gate() -> Gate:
    lease = Lease(8.0)
    lease.heard(monotonic(), 0)
    return Gate(lease)


@pytest.fixture
def batch(gate: Gate) -> Batch:
    return Batch(gate, TP("t", 0), ["a", "b", "c"])  # type: ignore[list-item]


async def test_claim_waits_for_a_stale_lease(batch: Batch, gate: Gate) -> None:
    """A cut-off process starts nothing, and goes on when its lease is renewed."""
    gate.lease.until = monotonic() - 1

    claiming = asyncio.create_task(batch.claim(0))
    await asyncio.sleep(0.1)
    waited = not claiming.done()
    gate.lease.heard(monotonic(), 0)

    assert waited
    assert await claiming


async def test_claim_is_refused_while_draining(batch: Batch, gate: Gate) -> None:
    """The partition is leaving: nothing new is started."""
    gate.draining = True

    assert not await batch.claim(0)
    assert not batch.claim_nowait(0)


async def test_claim_nowait_never_waits(batch: Batch, gate: Gate) -> None:
    """Between a token and its call nothing may be awaited: a stale lease refuses at once."""
    gate.lease.until = monotonic() - 1

    assert not batch.claim_nowait(0)
    assert batch.claimed() == 0


async def test_a_dead_batch_refuses(batch: Batch) -> None:
    """After its partition has left, a batch can neither be claimed nor owned."""
    batch.live = False

    assert not await batch.claim(0)
    assert not batch.claim_nowait(0)
    assert not await batch.owned()


async def test_owned_is_false_at_once_when_expelled(batch: Batch, gate: Gate) -> None:
    """The broker said that we are out: the outcome must not be written."""
    gate.lease.until = LOST

    assert not await asyncio.wait_for(batch.owned(), 0.02)


async def test_owned_holds_while_draining(batch: Batch, gate: Gate) -> None:
    """What was claimed before the drain may still record its outcome."""
    await batch.claim(0)
    gate.draining = True

    assert await batch.owned()


async def test_release_gives_back_only_what_is_claimed(batch: Batch) -> None:
    """Releasing the whole batch leaves its finished records finished."""
    await batch.claim()
    batch.done(0)

    batch.release()

    assert (batch.claimed(), batch.unfinished, batch.first_unfinished()) == (0, 2, 1)


async def test_claiming_the_batch_leaves_finished_records_finished(batch: Batch) -> None:
    """A record that is done is not in work again."""
    batch.done(1)

    await batch.claim()

    assert (batch.claimed(), batch.unfinished) == (2, 2)


def test_done_counts_once(batch: Batch) -> None:
    """A record finished twice, as by a copy of a call, counts as one."""
    finished = []
    batch = Batch(batch.gate, batch.tp, batch.records, lambda: finished.append(True))

    for i in (0, 0, 2, 2):
        batch.done(i)
    before = (batch.unfinished, list(finished))
    batch.done(1)

    assert before == (1, [])
    assert finished == [True]
