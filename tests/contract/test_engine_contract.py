"""What every engine must do: one suite over all of them."""

import asyncio

import pytest

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Throttled,
    Transient,
)
from tests.contract.mails import acquired, attempt, mail
from tests.contract.worlds import EXPECTED, settled


async def test_an_accepted_mail_was_handed_over_once(willing):
    """Accepted means that the provider has it, once, and named it."""
    engine = await willing.engine()
    outcome, handed_over = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    assert outcome.provider_message_id
    assert handed_over
    assert willing.received() == ["accept@r.example"]
    assert willing.attempts == 1
    await engine.close()


@pytest.mark.parametrize("name", EXPECTED)
async def test_failures_are_values_and_the_engine_goes_on(world, name):
    """Whatever happens to one mail is its outcome, names no address, is tried once, and the next mail goes through."""
    engine = await world.engine(concurrency=1)
    outcome, _ = await attempt(engine, mail(name))
    assert type(outcome) is (EXPECTED | world.differs)[name]
    assert "r.example" not in repr(outcome)
    assert world.received() == []
    assert world.attempts == 1
    outcome, _ = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    assert world.attempts == 2
    await engine.close()


async def test_the_wait_that_a_provider_asks_for_is_told(world):
    """Throttled carries the provider's seconds, if it has a way to tell them; a moment told in whole seconds is one."""
    engine = await world.engine()
    outcome, _ = await attempt(engine, mail("throttle"))
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == (world.wait and pytest.approx(world.wait, abs=1.0))
    await engine.close()


async def test_a_throttle_without_a_time_has_none(world):
    """Whoever is not told how long to wait does not make it up."""
    engine = await world.engine(limit=1)
    outcomes = [(await attempt(engine, mail(f"accept-{number}")))[0] for number in range(2)]
    assert isinstance(outcomes[0], Accepted)
    assert isinstance(outcomes[1], Throttled)
    assert outcomes[1].retry_after is None
    assert world.attempts == 2
    await engine.close()


async def test_an_oversized_mail_is_the_messages_fault(world):
    """A mail larger than the provider takes is rejected for good."""
    engine = await world.engine()
    outcome, _ = await attempt(engine, mail("accept", size=200_000))
    assert type(outcome) is MessageRejected
    assert world.received() == []
    await engine.close()


async def test_a_connection_lost_before_the_hand_over_leaves_no_doubt(world):
    """What cannot have reached the provider whole was not accepted, and the caller may try it elsewhere."""
    engine = await world.engine(max_size=40_000_000, patience="10s")
    outcome, handed_over = await attempt(engine, mail("drop", size=world.unread))
    assert type(outcome) is Transient
    assert not handed_over
    await engine.close()


async def test_a_connection_lost_after_the_hand_over_leaves_a_doubt(world):
    """The provider had it all and never answered: nobody may call that a failure."""
    engine = await world.engine(max_size=40_000_000, patience="10s")
    outcome, handed_over = await attempt(engine, mail("doubt", size=world.unread))
    assert type(outcome) is InDoubt
    assert handed_over
    assert world.attempts == 1
    await engine.close()


async def test_an_answer_that_comes_early_is_the_answer(world):
    """A large mail that is refused before it was read is refused, and the connection is not used for another."""
    engine = await world.engine(concurrency=1, max_size=40_000_000, patience="10s")
    outcome, _ = await attempt(engine, mail("early", size=world.unread))
    assert type(outcome) is MessageRejected
    outcome, _ = await attempt(engine, mail("accept"))
    assert isinstance(outcome, Accepted)
    await engine.close()


async def test_bad_credentials_stop_the_engine(world):
    """At the login or at the first mail, once each time: nobody's mail can go until a person acts."""
    engine = await world.engine(concurrency=1, trusted=False)
    for tries in (1, 2):
        outcome, _ = await attempt(engine, mail("accept"))
        assert type(outcome) is EngineStopped
        assert "wrong" not in repr(outcome)
        assert world.attempts <= tries
    assert world.received() == []
    await engine.close()


async def test_an_unreachable_provider_is_a_value(willing):
    """Acquire returns why there is no connection, does not raise, and frees the place it took."""
    engine = await willing.engine(concurrency=1, reachable=False)
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
    """A mail that was lost before it was handed over, after an accepted one on the same connection."""
    engine = await world.engine(max_size=40_000_000, patience="10s")
    connection = await acquired(engine)
    assert isinstance(await connection.hand_over(mail("accept")), Accepted)
    assert isinstance(await connection.hand_over(mail("drop", size=world.unread)), Transient)
    assert not connection.handed_over
    engine.release(connection)
    await engine.close()


async def test_a_connection_closed_while_idle_costs_no_mail(world):
    """A provider may close what nobody uses: the next mail goes over another connection, offered once."""
    engine = await world.engine(concurrency=1)
    assert isinstance((await attempt(engine, mail("accept")))[0], Accepted)
    world.hang_up()
    await asyncio.sleep(0.05)
    assert isinstance((await attempt(engine, mail("accept")))[0], Accepted)
    assert world.attempts == 2
    await engine.close()


async def test_no_more_connections_than_allowed(willing):
    """A third caller waits for two connections, until one comes back."""
    engine = await willing.engine(concurrency=2)
    first, second = await acquired(engine), await acquired(engine)
    third = asyncio.create_task(engine.acquire())
    await asyncio.sleep(0.05)
    assert not third.done()
    engine.release(first)
    engine.release(await third)
    engine.release(second)
    await engine.close()


async def test_a_closed_engine_lends_nothing(world):
    """After close no connection stands, and acquire says so instead of connecting."""
    engine = await world.engine()
    await attempt(engine, mail("accept"))
    await engine.close()
    await settled(world)
    assert type(await engine.acquire()) is Transient
    assert world.connections == 0


async def test_many_at_once_each_arrive_once(willing):
    """Concurrent callers share the connections without mixing their mails up."""
    engine = await willing.engine(concurrency=3)
    outcomes = await asyncio.gather(*(attempt(engine, mail(f"accept-{n}")) for n in range(100)))
    assert all(isinstance(outcome, Accepted) for outcome, _ in outcomes)
    assert sorted(willing.received()) == sorted(f"accept-{n}@r.example" for n in range(100))
    assert willing.attempts == 100
    await engine.close()
