"""The app: tasks that die, settings that do not fit, hooks of an assignment."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from faust.tables.recovery import RebalanceAgain

from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.limits import Limits
from tests.streaming.conftest import TP0


async def test_a_task_that_dies_stops_the_worker(new_app: Callable[..., StreamApp]) -> None:
    """A lane that died silently would stall its partition for ever."""
    app = new_app()

    async def die() -> None:
        raise ZeroDivisionError

    app.spawn(die())
    await asyncio.wait_for(app.wait_until_stopped(), 1.0)

    assert isinstance(app.crash_reason, ZeroDivisionError)


async def test_a_task_that_ends_or_is_cancelled_stops_nothing(new_app: Callable[..., StreamApp]) -> None:
    """Lanes come and go with their assignment."""
    app = new_app()
    tasks = [app.spawn(asyncio.sleep(0)), app.spawn(asyncio.sleep(60))]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    await asyncio.sleep(0)

    assert app.crash_reason is None


async def test_assignment_hooks_may_wait(new_app: Callable[..., StreamApp]) -> None:
    """Hooks are sync or async, and are given the partitions; no batch comes before they have returned."""
    app, seen = new_app(), []

    async def slow(tps: object) -> None:
        await asyncio.sleep(0)
        seen.append(tps)

    app.on_assigned += [seen.append, slow]
    await app.call_assigned({TP0})

    assert [{TP0}, {TP0}] == seen


async def test_a_hook_that_waits_lets_others_be_added(new_app: Callable[..., StreamApp]) -> None:
    """What is added while hooks are called is for the next assignment."""
    app, seen = new_app(), []

    async def adding(_: object) -> None:
        app.on_assigned.append(seen.append)

    app.on_assigned.append(adding)
    await app.call_assigned({TP0})
    assert seen == []

    await app.call_assigned({TP0})
    assert seen == [{TP0}]


async def test_an_agent_that_fails_stops_the_worker(new_app: Callable[..., StreamApp]) -> None:
    """Faust would go on without the batch, and its partition would stand still unnoticed."""
    app = new_app()

    @app.agent(app.batch_topic("u"))
    async def broken(stream: object) -> None:
        raise ZeroDivisionError

    broken.supervisor = Mock()
    await broken._execute_actor(broken.fun(None), AsyncMock())

    assert isinstance(app.crash_reason, ZeroDivisionError)


async def test_a_recovery_waits_for_as_long_as_it_takes(new_app: Callable[..., StreamApp]) -> None:
    """Faust's takes a time-out for a stop: the worker would own its partitions, and never fetch again."""
    recovery, done = new_app().tables.recovery, []

    async def slow() -> None:
        await asyncio.sleep(0.05)
        done.append(True)

    await recovery._wait(slow(), timeout=0.01)
    assert done == [True]

    recovery.signal_recovery_start.set()
    with pytest.raises(RebalanceAgain):
        await recovery._wait(asyncio.sleep(60), timeout=0.01)


def test_a_drain_must_fit_into_the_rebalance(tmp_path: Path) -> None:
    """A member that drains longer than the broker waits is expelled, and its work is done twice."""
    with pytest.raises(ValueError, match="broker_rebalance_timeout"):
        StreamApp("a", bootstrap="127.0.0.1:1", data_dir=tmp_path, limits=Limits(drain=55.0))


def test_static_membership_needs_the_lock(tmp_path: Path) -> None:
    """An instance id that is just a string may be somebody else's too."""
    with pytest.raises(TypeError, match="lock"):
        StreamApp("a", bootstrap="127.0.0.1:1", data_dir=tmp_path, instance_id="me")  # type: ignore[arg-type]
