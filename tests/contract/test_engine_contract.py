"""What every engine must do: one suite over all of them."""

import asyncio

import pytest

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import (
    Accepted,
    Failure,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.domain.ports import Connection, Engine
from tests.messages import raw


def mail(name: str, size: int = 0) -> OutgoingMessage:
    content = b"Message-ID: <m@s.example>\r\nSubject: Hi\r\n\r\n.Hello\r\n" + b"x" * size
    return raw("<m@s.example>", "news@s.example", f"{name}@r.example", content)


async def acquired(engine: Engine) -> Connection:
    connection = await engine.acquire()
    assert not isinstance(connection, Failure), connection
    return connection


async def attempt(engine: Engine, message: OutgoingMessage):
    connection = await acquired(engine)
    try:
        return await connection.hand_over(message), connection.handed_over
    finally:
        engine.release(connection)


async def test_an_accepted_mail_was_handed_over_once(world):
    """Accepted means that the provider has it, once, and named it."""
    engine = await world.engine()
    outcome, handed_over = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    assert outcome.provider_message_id
    assert handed_over
    assert world.received() == ["accept@r.example"]
    await engine.close()


@pytest.mark.parametrize(("name", "expected"), [
    ("refuse", RecipientRejected), ("busy", Transient), ("throttle", Throttled), ("block", SenderBlocked),
    ("reject", MessageRejected), ("shutdown", Transient), ("drop", Transient), ("doubt", InDoubt), ("silence", InDoubt),
    ("reset", InDoubt),
])
async def test_failures_are_values_and_the_engine_goes_on(world, name, expected):
    """Whatever happens to one mail is its outcome, names no address, and the next mail goes through."""
    engine = await world.engine(concurrency=1)
    outcome, _ = await attempt(engine, mail(name))
    assert type(outcome) is expected
    assert "r.example" not in repr(outcome)
    assert world.received() == []
    outcome, _ = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    await engine.close()


async def test_the_wait_that_a_provider_asks_for_is_told(world):
    """Throttled carries the provider's seconds."""
    engine = await world.engine()
    outcome, _ = await attempt(engine, mail("throttle"))
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == 7.0
    await engine.close()


async def test_an_oversized_mail_is_the_messages_fault(world):
    """A mail larger than the provider takes is rejected for good."""
    engine = await world.engine()
    outcome, _ = await attempt(engine, mail("accept", size=200_000))
    assert type(outcome) is MessageRejected
    await engine.close()


async def test_an_unreachable_provider_is_a_value(world):
    """Acquire returns why there is no connection, does not raise, and frees the place it took."""
    engine = await world.engine(concurrency=1, reachable=False)
    for _ in range(2):
        assert type(await asyncio.wait_for(engine.acquire(), 5)) is Transient
    await engine.close()


async def test_cancelling_after_the_hand_over_leaves_it_visible(world):
    """A caller that cancels sees that the message may have reached the provider, and the place is freed."""
    engine = await world.engine(concurrency=1)
    connection = await acquired(engine)
    task = asyncio.create_task(connection.hand_over(mail("slow")))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert connection.handed_over
    engine.release(connection)
    outcome, _ = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    await engine.close()


async def test_handed_over_tells_of_the_last_message_only(world):
    """A refusal after an accepted mail on the same connection was not handed over."""
    engine = await world.engine()
    connection = await acquired(engine)
    assert isinstance(await connection.hand_over(mail("accept")), Accepted)
    assert isinstance(await connection.hand_over(mail("drop")), Transient)
    assert not connection.handed_over
    engine.release(connection)
    await engine.close()


async def test_no_more_connections_than_allowed(world):
    """A third caller waits for two connections, until one comes back."""
    engine = await world.engine(concurrency=2)
    first, second = await acquired(engine), await acquired(engine)
    third = asyncio.create_task(engine.acquire())
    await asyncio.sleep(0.05)
    assert not third.done()
    engine.release(first)
    engine.release(await third)
    engine.release(second)
    await engine.close()


async def test_a_closed_engine_lends_nothing(world):
    """After close, acquire says so instead of connecting."""
    engine = await world.engine()
    await attempt(engine, mail("accept"))
    await engine.close()
    assert type(await engine.acquire()) is Transient


async def test_many_at_once_each_arrive_once(world):
    """Concurrent callers share the connections without mixing their mails up."""
    engine = await world.engine(concurrency=3)
    outcomes = await asyncio.gather(*(attempt(engine, mail(f"accept-{n}")) for n in range(100)))
    assert all(isinstance(outcome, Accepted) for outcome, _ in outcomes)
    assert sorted(world.received()) == sorted(f"accept-{n}@r.example" for n in range(100))
    await engine.close()
