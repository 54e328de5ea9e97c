"""Orders in mid-run and replays, as the aggregator tells and answers them on a real broker."""

import asyncio
import json
from typing import Any

from outreach_stream import topics
from outreach_stream.domain.control import EngineFuse, RunOrder
from outreach_stream.domain.identity import run_id
from tests.kafka.aggregator_stage import Stage, new_key, publish, trigger

ORDER = RunOrder(at=1.0, by="test")
SOON = 5.0
"""Seconds in which an order must be told."""


def orders(stage: Stage, run: str) -> list[Any]:
    """The records in `control` under the run's keys."""
    return [it for it in stage.seen[topics.CONTROL.name] if it.key.startswith(f"run:{run}:".encode())]


def logged(stage: Stage, run: str) -> Any:
    """The record in `run.event` that says that the run's log exists."""
    return next(it for it in stage.seen[topics.RUN_EVENT.name]
                if it.key == run.encode() and json.loads(it.value)["kind"] == "logged")


async def test_what_is_ordered_is_told_at_once_and_forgotten_after_the_log(stage: Stage) -> None:
    """Paused, engine stopped, being cancelled: each within seconds, also what was ordered while nobody was there.

    When the log exists, and not before, the run's orders are taken out of `control`.
    """
    key, run = new_key()
    worker = stage.start()
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await stage.plan(run, 2)
    await stage.until(lambda: stage.last(run)["state"] == "SENDING")
    await stage.order(f"run:{run}:pause", ORDER)
    await stage.until(lambda: stage.last(run)["paused"], SOON)
    await stage.order("engine:relay:fuse", EngineFuse(reason="535 bad key", at=1.0))
    await stage.until(lambda: stage.last(run).get("engine_stopped") == "535 bad key", SOON)
    await stage.order("engine:relay:fuse", None)
    await stage.until(lambda: not stage.last(run).get("engine_stopped"), SOON)

    worker.terminate()
    await asyncio.to_thread(worker.wait, 30)
    await stage.order(f"run:{run}:pause", None)
    await stage.order(f"run:{run}:cancel", ORDER)
    stage.start()
    await stage.until(lambda: stage.last(run)["cancelling"])
    assert not stage.last(run)["paused"]

    await stage.send(run, [0], status="sent")
    await stage.send(run, [1], status="cancelled")
    await stage.until(lambda: stage.last(run).get("log"))
    await stage.until(lambda: orders(stage, run)[-1].value is None and len(orders(stage, run)) == 4)
    assert orders(stage, run)[-1].key == f"run:{run}:cancel".encode()
    assert orders(stage, run)[-1].timestamp >= logged(stage, run).timestamp
    status = stage.last(run)
    assert (status["state"], status["cancelling"], status["counts"]["cancelled"]) == ("CANCELLED", False, 1)


async def test_a_run_that_is_cancelled_before_its_plan_ends_with_a_log_of_nobody(stage: Stage) -> None:
    """It is CANCELLED, says when in its life, and its order is taken out of `control`."""
    key, run = new_key()
    stage.start()
    await publish(stage.bootstrap, [trigger(key)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await stage.order(f"run:{run}:cancel", ORDER)
    await stage.until(lambda: stage.last(run).get("cancelling"))
    await stage.plan(run, 0, cancelled=True)
    await stage.until(lambda: stage.last(run).get("log"))
    await stage.until(lambda: orders(stage, run)[-1].value is None)

    log = stage.read_log(stage.last(run))
    assert (log["run"]["state"], log["run"]["reason"]) == ("CANCELLED", "cancelled before it was planned")
    assert log["recipients"] == []


def replay(run: str, *statuses: str, **fields: object) -> bytes:
    return trigger(None, replay={"run_id": run, "statuses": statuses, **fields})


def replay_id(run: str, statuses: str) -> str:
    return run_id("1", slot=None, key=f"replay:{run}:{statuses}", trigger_id="")


async def test_a_replay_is_a_run_of_those_who_ended_so(stage: Stage) -> None:
    """However often it is asked for, and whoever died meanwhile, it is one run; its log names its parent."""
    key, run = new_key()
    worker = stage.start()
    child, early = replay_id(run, "failed,in_doubt"), replay_id(run, "failed")
    await publish(stage.bootstrap, [trigger(key, parameters={"code": "x"})], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await publish(stage.bootstrap, [replay(run, "failed")], keyed=False)
    await stage.until(lambda: stage.last(early)["state"] == "REFUSED")
    await stage.plan(run, 1_004, chunks=[70, 71])
    await stage.send(run, range(1_000))
    await stage.send(run, [1_000, 1_001], status="failed")
    await stage.send(run, [1_002, 1_003], status="in_doubt")
    await stage.send(run, [1_001])
    await stage.until(lambda: stage.last(run).get("log"))
    worker.kill()
    worker.wait()

    stage.start()
    asked = replay(run, "in_doubt", "failed", accept_duplicates=True)
    await publish(stage.bootstrap, [replay(run, "failed", "in_doubt"), *[asked] * 20], keyed=True)
    await stage.until(lambda: stage.admitted()[child])
    await stage.plan(child, 0)
    await stage.until(lambda: stage.last(child).get("log"))

    assert "has not ended" in stage.statuses(early)[0]["reason"]
    admitted, = stage.admitted()[child]
    assert (admitted["topic"], admitted["priority"], admitted["parameters"]) == ("run.admitted", "bulk", {"code": "x"})
    assert admitted["chunks"] == [{"offset": 71, "chunk": 1, "indexes": "d", "doubted": "c"}]
    assert stage.last(child)["parent"] == run
    assert stage.last(child)["warnings"] == []
    assert stage.read_log(stage.last(child))["run"]["parent"] == run


async def test_an_express_run_is_replayed_from_what_its_trigger_brought(stage: Stage) -> None:
    """It has no chunks. What cannot be replayed is refused with its reason, and may be asked for again."""
    key, run = new_key()
    people = [{"email": f"p{number}@example.org", "vip": number} for number in range(3)]
    stage.start()
    await publish(stage.bootstrap, [trigger(key, recipients=people)], keyed=False)
    await stage.until(lambda: stage.admitted()[run])
    await stage.plan(run, 3)
    await stage.send(run, [0, 2], status="expired")
    await stage.send(run, [1])
    await stage.until(lambda: stage.last(run).get("log"))
    await publish(stage.bootstrap, [replay(run, "expired"), replay(run, "failed"), replay("nobody", "failed"),
                                    replay(run, "in_doubt")], keyed=False)
    refused = {replay_id(run, "failed"): "nobody of run", replay_id("nobody", "failed"): "no run with the id",
               replay_id(run, "in_doubt"): "accept duplicates"}
    await stage.until(lambda: all(stage.last(it)["state"] == "REFUSED" for it in refused))
    child, = await stage.until(lambda: stage.admitted()[replay_id(run, "expired")])

    assert [reason in stage.last(it)["reason"] for it, reason in refused.items()] == [True] * 3
    assert (child["topic"], child["recipients"], child.get("chunks")) == ("run.admitted", people[::2], [])
