"""The drain: what its hooks see, and that it ends."""

import asyncio
from collections.abc import Callable
from time import monotonic
from unittest.mock import AsyncMock

from outreach_stream.streaming.app import StreamApp
from tests.streaming.conftest import TP0, FedConsumer, record


async def test_hooks_are_called_in_order_and_once(fed: FedConsumer) -> None:
    """on_drain, the end of claimed work, before_release, the commit, on_released; a second drain adds nothing."""
    seen: list[str] = []
    [batch] = await fed.deliver([record(0)])
    await batch.claim()

    async def last_words() -> None:
        seen.append(f"before_release claimed={batch.claimed()}")

    async def commit(**_: object) -> bool:
        seen.append("commit")
        return True

    fed.app.on_drain.append(lambda: seen.append("on_drain"))
    fed.app.on_drain.append(batch.release)
    fed.app.before_release.append(last_words)
    fed.app.on_released.append(lambda: seen.append("on_released"))
    fed.consumer.force_commit = commit

    await fed.consumer.wait_empty()
    await fed.consumer.wait_empty()
    fed.consumer._forget()

    assert seen == ["on_drain", "before_release claimed=0", "commit", "on_released"]


async def test_a_drain_waits_for_claimed_work(fed: FedConsumer) -> None:
    """A hand-over in progress may finish, and its record is committed."""
    [batch] = await fed.deliver([record(0)])
    await batch.claim()
    fed.consumer.force_commit = AsyncMock(side_effect=lambda **_: committed.append(fed.consumer._new_offset(TP0)))
    committed: list[int | None] = []
    asyncio.get_running_loop().call_later(0.1, batch.done)

    await fed.consumer.wait_empty()

    assert committed == [1]


async def test_a_drain_is_capped(fed: FedConsumer) -> None:
    """Work that never ends is abandoned after its time, not committed, and the drain goes on."""
    [batch] = await fed.deliver([record(0)])
    await batch.claim()
    fed.consumer.force_commit = AsyncMock()
    started = monotonic()

    await fed.consumer.wait_empty()

    assert 0.2 <= monotonic() - started < 20
    assert fed.consumer._new_offset(TP0) == 0


async def test_a_stop_shortens_a_drain(fed: FedConsumer, new_app: Callable[..., StreamApp]) -> None:
    """One deadline for the whole stop: a drain under way gives up when closing needs the rest."""
    slow = FedConsumer(new_app(drain=25.0, stop=5.2))
    [batch] = await slow.deliver([record(0)])
    await batch.claim()
    slow.consumer.force_commit = AsyncMock()
    slow.app.stop_clock.start(slow.app.limits.stop)
    started = monotonic()

    await slow.consumer.wait_empty()

    assert monotonic() - started < 2.0


async def test_a_commit_that_hangs_does_not_hold_a_stop_up(fed: FedConsumer, new_app: Callable[..., StreamApp]) -> None:
    """The broker may be away for good: the commit is given up, and what it would have said is delivered again."""
    slow = FedConsumer(new_app(stop=2.3))

    async def hang(**_: object) -> None:
        await asyncio.sleep(60)

    slow.consumer.force_commit = AsyncMock(side_effect=hang)
    slow.app.stop_clock.start(slow.app.limits.stop)

    await asyncio.wait_for(slow.consumer.wait_empty(), 2.0)

    assert slow.consumer.force_commit.await_count == 1


async def test_a_failing_hook_does_not_prevent_the_commit(fed: FedConsumer) -> None:
    """What is finished is committed even if somebody's last words fail."""
    fed.app.before_release.append(AsyncMock(side_effect=OSError("no words")))
    fed.consumer.force_commit = AsyncMock()

    await fed.consumer.wait_empty()

    assert fed.consumer.force_commit.await_count == 1


async def test_the_next_assignment_ends_the_drain(fed: FedConsumer) -> None:
    """Claims succeed again after an assignment, and the next drain is a new one."""
    begun: list[int] = []
    fed.app.on_drain.append(lambda: begun.append(1))
    fed.consumer.force_commit = AsyncMock()
    await fed.consumer.wait_empty()

    fed.consumer.drain.end()
    fed.begin(0)
    [batch] = await fed.deliver([record(0)])
    claimed = await batch.claim()
    batch.release()
    await fed.consumer.wait_empty()

    assert claimed
    assert begun == [1, 1]


async def test_a_second_drain_waits_for_the_first(fed: FedConsumer) -> None:
    """SIGTERM during a rebalance: nothing is torn down before the drain under way has committed."""
    [batch] = await fed.deliver([record(0)])
    await batch.claim()
    fed.consumer.force_commit = AsyncMock()
    first, second = (asyncio.create_task(fed.consumer.wait_empty()) for _ in range(2))
    await asyncio.sleep(0.05)
    waited = not second.done()

    batch.done()
    await asyncio.wait([first, second])

    assert waited
    assert fed.consumer.force_commit.await_count == 1


async def test_a_stopping_app_claims_nothing_more(fed: FedConsumer) -> None:
    """An assignment that comes in after the stop began opens nothing."""
    fed.app.stop_clock.start(30.0)
    fed.consumer.drain.begin()

    fed.consumer.drain.end()

    assert fed.consumer.gate.draining
