"""The consumer between Faust's fetcher and our ledger, without a broker."""

from unittest.mock import AsyncMock

from tests.streaming.conftest import TP0, FedConsumer, offsets, record, span


async def test_a_fetch_becomes_batches(fed: FedConsumer) -> None:
    """25 records fetched are three Faust events, and their partition has offsets to commit."""
    batches = await fed.deliver(span(0, 25))

    assert offsets(batches) == [0, 10, 20]
    assert list(fed.consumer._filter_tps_with_pending_acks()) == [TP0]
    assert fed.consumer._new_offset(TP0) == 0


async def test_records_dropped_by_a_rebalance_are_read_again(fed: FedConsumer) -> None:
    """What arrives while Faust rebalances is refused, and fetched again afterwards."""
    fed.app.rebalancing = True
    refused = await fed.deliver(span(0, 2))
    fed.app.rebalancing = False

    batches = await fed.deliver(span(0, 3))

    assert not refused
    assert offsets(batches) == [0]
    assert fed.seeks == [{TP0: 0}]


async def test_what_follows_a_refused_run_is_refused(fed: FedConsumer) -> None:
    """A run that held only old records must not let the next one in before the log was read again."""
    fed.begin(10).mark_suspect()

    batches = await fed.deliver(span(0, 25), span(10, 25))

    assert offsets(batches) == [10, 20]


async def test_a_full_partition_is_not_fetched(fed: FedConsumer) -> None:
    """At the upper bound the partition leaves the fetch set; at the lower one it is back."""
    batches = await fed.deliver(span(0, 25))
    full = TP0 not in fed.consumer._active_partitions

    for batch in batches[:2]:
        batch.done()

    assert full
    assert TP0 in fed.consumer._active_partitions


async def test_a_partition_of_large_records_is_not_fetched(fed: FedConsumer) -> None:
    """Few records may be much: memory is bounded by bytes, too."""
    half = fed.app.limits.load_bytes // 2
    batches = await fed.deliver([record(0, half)], [record(1, half)])
    full = TP0 not in fed.consumer._active_partitions

    batches[0].done()

    assert full
    assert TP0 in fed.consumer._active_partitions


async def test_nothing_of_an_old_assignment_moves_the_new_one(fed: FedConsumer) -> None:
    """A batch that outlives its assignment cannot finish records of the next."""
    [batch] = await fed.deliver([record(0)])
    fed.consumer._forget()
    ledger = fed.begin(0)

    batch.done()

    assert ledger.committable() == 0
    assert not await batch.claim()


async def test_a_failed_commit_is_repeated(fed: FedConsumer) -> None:
    """Stock Faust notes a failed commit as made; here the next tick tries again, and then no more."""
    [batch] = await fed.deliver([record(0)])
    batch.done()
    fed.consumer._commit = AsyncMock(side_effect=[False, True])
    fed.app.producer.flush = AsyncMock()

    results = [await fed.consumer.force_commit() for _ in range(3)]

    assert results == [False, True, False]
    assert [call.args for call in fed.consumer._commit.await_args_list] == [({TP0: 1},), ({TP0: 1},)]
