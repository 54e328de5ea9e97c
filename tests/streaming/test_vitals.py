"""How a worker's stream stands: why it is not ready, and its numbers, without asking anybody."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from outreach_stream.streaming import vitals
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.lease import LOST
from outreach_stream.telemetry import metrics
from tests.streaming.conftest import TP0, FedConsumer, record, span


def numbers(app: StreamApp) -> dict[str, float]:
    """What is said of topic `t`, and of the process."""
    return {reading.metric.name.removeprefix("outreach_"): reading.value for reading in app.readings()
            if reading.labels in {(), ("t",)}}


async def test_ready_is_joined_positioned_and_within_the_lease(fed: FedConsumer) -> None:
    """Each of them missing is a reason, and said; a stand-by without partitions is ready."""
    app, reasons = fed.app, []
    assert vitals.unready(app) is None

    app.lease.until = time.monotonic() - 1
    reasons.append(vitals.unready(app))
    app.lease.until = LOST
    reasons.append(vitals.unready(app))
    app.lease.until = float("inf")
    fed.consumer.positioned = False
    reasons.append(vitals.unready(app))
    fed.consumer.assignment = set
    stand_by = vitals.unready(app)
    app.rebalancing = True
    reasons.append(vitals.unready(app))
    fed.consumer.gate.draining = True
    reasons.append(vitals.unready(app))

    assert stand_by is None
    assert [reason and reason.split(",")[0].split(":")[0] for reason in reasons] == [
        "no heartbeat of late", "not a member of its group yet", "partitions are being assigned",
        "partitions are being assigned", "stopping"]


def test_before_the_start_it_is_not_ready_and_says_little(new_app: Callable[..., StreamApp]) -> None:
    """A scrape that comes before there is a consumer is answered."""
    app = new_app()

    assert vitals.unready(app) == "not a member of its group yet"
    assert numbers(app) == {"lease_valid": False, "dead_letters": 0}


async def test_numbers_follow_the_ledgers(fed: FedConsumer) -> None:
    """Taken, unfinished, behind, uncommitted and the age of the oldest, as batches are finished."""
    fed.consumer.highwater = lambda _: 30
    now = time.time()
    fresh = [record(offset)._replace(timestamp=int((now - 60 + offset) * 1000)) for offset in range(20)]
    first, second = await fed.deliver(fresh)
    before = numbers(fed.app)
    first.done()
    second.done(0)
    after = numbers(fed.app)

    assert (before["records_taken"], before["batches_taken"], before["partitions_assigned"]) == (20, 2, 1)
    assert (before["records_unfinished"], before["worker_lag_records"], before["records_uncommitted"]) == (20, 30, 0)
    assert 59 < before["oldest_unfinished_seconds"] < 70
    assert (after["records_unfinished"], after["worker_lag_records"], after["records_uncommitted"]) == (9, 19, 11)
    assert 48 < after["oldest_unfinished_seconds"] < 59

    fed.consumer._committed_offset[TP0] = 11
    assert numbers(fed.app)["records_uncommitted"] == 0


async def test_an_end_that_is_not_known_and_times_that_are_not_said(fed: FedConsumer) -> None:
    """A partition that has just left, and records without a time, are no reason to fail."""
    def left(_: Any) -> int:
        raise AssertionError("Partition is not assigned")

    fed.consumer.highwater = lambda _: 2
    await fed.deliver([each._replace(timestamp=-1) for each in span(0, 2)])
    fed.consumer.highwater = left
    said = numbers(fed.app)

    assert (said["worker_lag_records"], said["records_unfinished"], said["oldest_unfinished_seconds"]) == (0, 2, 0)


async def test_what_the_roles_parts_say_comes_with_it(fed: FedConsumer) -> None:
    """Sources are appended by whoever has something to say."""
    part = SimpleNamespace(said=lambda: [metrics.Metric("outreach_x", "gauge", "x")])
    fed.app.sources.append(lambda: [vitals.Reading(metric, 3) for metric in part.said()])

    assert numbers(fed.app)["x"] == 3
