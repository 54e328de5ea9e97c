"""Several relays that are one engine: whose turn it is, and what becomes of one that is away."""

import asyncio
import socket
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from outreach_stream.domain.outcomes import Accepted, EngineStopped, Failure, Throttled, Transient
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_rotation import REST, Rotation
from outreach_stream.inbox import Inbox, Limit, Mode
from tests.messages import raw


def turns(rotation: Rotation, count: int, now: float = 0.0) -> list[int]:
    return [rotation.turn(now)[0] for _ in range(count)]


def test_turns_follow_the_weights_and_are_not_bunched():
    """5, 1, 1: the known sequence of smooth weighted round robin, again and again."""
    assert turns(Rotation([5, 1, 1]), 14) == [0, 0, 1, 0, 2, 0, 0] * 2


@pytest.mark.parametrize("weights", [[1], [1, 1], [3, 2], [100, 1, 7], [4, 4, 4, 4]])
def test_each_has_its_share(weights):
    """After as many turns as the weights together, each has had exactly its own."""
    counted = Counter(turns(Rotation(weights), sum(weights)))
    assert [counted[place] for place in range(len(weights))] == weights


def test_who_is_away_rests_and_comes_back():
    """Left out for REST seconds, then in turn as before, without making up for what was missed."""
    rotation = Rotation([1, 1])
    rotation.unreachable(0, now=100.0)
    assert turns(rotation, 5, now=100.0 + REST - 0.1) == [1] * 5
    assert sorted(turns(rotation, 2, now=100.0 + REST)) == [0, 1]
    rotation.unreachable(0, now=200.0)
    rotation.reachable(0)
    assert sorted(rotation.turn(200.0)) == [0, 1]


def test_when_all_rest_all_are_tried():
    """There is nothing to lose."""
    rotation = Rotation([1, 2])
    rotation.unreachable(0, 0.0)
    rotation.unreachable(1, 0.0)
    assert rotation.turn(1.0) == [1, 0]


def engine_for(*relays: dict, **changes) -> SmtpEngine:
    return SmtpEngine(SmtpConfig.model_validate({
        "id": "relays", "kind": "smtp", "relays": relays, "security": "none",
        "connections": {"max_messages": 1}, "timeouts": {"connect": "300ms", "command": "1s", "data": "1s"}} | changes))


def at(inbox: Inbox, weight: int = 1) -> dict:
    return {"host": "127.0.0.1", "port": inbox.port, "weight": weight}


@pytest.fixture
async def inboxes():
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Inbox(limit=limit)) for limit in (None, None, Limit(1))]


@pytest.fixture
def nobody():
    """A port that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {"host": "127.0.0.1", "port": taken.getsockname()[1], "weight": 100}


async def send(engine: SmtpEngine):
    connection = await engine.acquire()
    if isinstance(connection, Failure):
        return connection
    outcome = await connection.hand_over(raw("<1@s>", "n@s.example", "joe@r.example"))
    engine.release(connection)
    return outcome


async def test_new_connections_go_by_weight(inboxes):
    """Of eight connections, six and two."""
    engine = engine_for(at(inboxes[0], 3), at(inboxes[1]))
    for _ in range(8):
        assert type(await send(engine)) is Accepted
    assert [len(inbox.mails) for inbox in inboxes[:2]] == [6, 2]
    await engine.close()


async def test_where_one_is_away_the_other_is_taken_at_once(inboxes, nobody):
    """Within the same acquire, and not asked again for a while: its turn would have come first each time."""
    engine = engine_for(nobody, at(inboxes[0]))
    for _ in range(5):
        assert type(await send(engine)) is Accepted
    assert inboxes[0].connections == 5
    await engine.close()


async def test_one_that_never_answers_costs_its_limit_once(inboxes):
    """A relay that takes the connection and says nothing: one attempt of `timeouts.connect`, then it is left out."""
    async with await asyncio.start_server(lambda _, writer: None, "127.0.0.1", 0) as mute:
        silent = {"host": "127.0.0.1", "port": mute.sockets[0].getsockname()[1], "weight": 100}
        engine = engine_for(silent, at(inboxes[0]))
        began = time.monotonic()
        for _ in range(5):
            assert type(await send(engine)) is Accepted
        assert time.monotonic() - began < 2 * 0.3 + 0.5
        await engine.close()


async def test_when_all_are_away_it_says_so_and_names_the_last(nobody):
    """A value, after one attempt for each; and the place is free."""
    engine = engine_for(nobody, nobody, concurrency=1)
    for _ in range(2):
        outcome = await asyncio.wait_for(send(engine), 2)
        assert type(outcome) is Transient
        assert outcome.detail.startswith("127.0.0.1: ")
    await engine.close()


async def test_one_that_comes_back_is_used_again(inboxes, monkeypatch):
    """When its rest is over."""
    monkeypatch.setattr("outreach_stream.engines.smtp_rotation.REST", 0.1)
    inboxes[0].mode = Mode.REFUSE_CONNECTIONS
    engine = engine_for(at(inboxes[0]), at(inboxes[1]))
    assert {type(await send(engine)) for _ in range(4)} == {Accepted}
    assert len(inboxes[1].mails) == 4
    inboxes[0].mode = Mode.NORMAL
    await asyncio.sleep(0.15)
    assert {type(await send(engine)) for _ in range(4)} == {Accepted}
    assert len(inboxes[0].mails) == 2
    await engine.close()


async def test_a_refused_login_at_one_stops_the_engine(inboxes, monkeypatch):
    """The credentials are the same for all: the next is not tried, which would only count a second failure."""
    monkeypatch.setenv("RELAY_PASSWORD", "s3cret")
    async with Inbox(credentials=("robot", "other")) as strict:
        engine = engine_for(at(strict, 100), at(inboxes[0]), username="robot", password="env:RELAY_PASSWORD")
        outcome = await send(engine)
        assert type(outcome) is EngineStopped
        assert inboxes[0].connections == 0
        await engine.close()


async def test_a_relay_that_throttles_is_heeded(inboxes):
    """It is reached, and says that we are too fast: no other is tried behind its back."""
    engine = engine_for(at(inboxes[2], 100), at(inboxes[0]))
    assert [type(await send(engine)) for _ in range(2)] == [Accepted, Throttled]
    assert inboxes[0].connections == 0
    await engine.close()


async def test_a_stale_connection_is_replaced_by_another_relays(inboxes):
    """The relay went away between two mails: the second goes through the other one, in the same attempt."""
    engine = engine_for(at(inboxes[0]), at(inboxes[1]), connections={"max_messages": 10}, concurrency=1)
    connection = await engine.acquire()
    mail = raw("<1@s>", "n@s.example", "joe@r.example")
    assert type(await connection.hand_over(mail)) is Accepted
    inboxes[0].mode = Mode.REFUSE_CONNECTIONS
    inboxes[0].hang_up()
    await asyncio.sleep(0.05)
    assert type(await connection.hand_over(mail)) is Accepted
    assert [len(inbox.mails) for inbox in inboxes[:2]] == [1, 1]
    engine.release(connection)
    await engine.close()
