"""Servers that fail in the middle, against the real inbox: the outcome, its time, and the mail after it."""

import asyncio
import time

import pytest

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    Failure,
    InDoubt,
    MessageRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.inbox import Inbox, Limit, Mode
from tests.messages import raw

COMMAND, DATA = 0.4, 0.8
BODY = b"Message-ID: <1@s>\r\n\r\nHello\r\n"
BIG = b"0123456789abc\r\n" * 1_000_000
"""More than the buffers of both sides hold."""


@pytest.fixture
async def inbox():
    async with Inbox(pace=0.01, max_size=100_000_000) as inbox:
        yield inbox


@pytest.fixture
async def engine(inbox):
    engine = engine_for(inbox)
    yield engine
    await engine.close()


def engine_for(inbox: Inbox, **changes) -> SmtpEngine:
    """One place, so that a mail that keeps it is noticed."""
    limits = {"connect": "400ms", "command": f"{COMMAND * 1000:.0f}ms", "data": f"{DATA * 1000:.0f}ms"}
    return SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": inbox.port, "security": "none", "concurrency": 1,
        "timeouts": limits} | changes))


async def send(engine: SmtpEngine, name: str = "joe", body: bytes = BODY):
    connection = await asyncio.wait_for(engine.acquire(), 5)
    if isinstance(connection, Failure):
        return connection
    outcome = await asyncio.wait_for(
        connection.hand_over(raw("<1@s>", "n@s.example", f"{name}@r.example", body)), 5)
    engine.release(connection)
    return outcome


@pytest.mark.parametrize(("name", "expected", "received"), [
    ("reset", InDoubt, 0),          # the dot was written: we cannot know that it was thrown away
    ("drop", Transient, 0), ("doubt", InDoubt, 1), ("silence", InDoubt, 1),
    ("shutdown", Transient, 0), ("shutdown-data", Transient, 0), ("shutdown-dot", Transient, 0),
    ("reject", MessageRejected, 0), ("block", SenderBlocked, 0), ("throttle", Throttled, 0), ("grey-60", Transient, 0),
    ("sip", Accepted, 1), ("trickle", Accepted, 1), ("slow", Accepted, 1),
])
async def test_each_ends_by_the_table_and_the_next_goes_through(inbox, engine, name, expected, received):
    """In doubt only where the final dot was written; and the place is free for the next mail."""
    assert type(await send(engine)) is Accepted
    assert type(await send(engine, name)) is expected
    assert len(inbox.mails) == 1 + received
    assert type(await send(engine)) is Accepted


@pytest.mark.parametrize(("name", "expected"), [("reset", Transient), ("shutdown-data", Transient), ("sip", Accepted)])
async def test_a_large_mail_is_cut_short_without_doubt(inbox, engine, name, expected):
    """A reset while the body goes: the dot had not left, so nothing was accepted."""
    assert type(await send(engine, name, BIG)) is expected
    assert type(await send(engine)) is Accepted


async def test_replies_a_byte_at_a_time_have_a_limit_as_a_whole(inbox, engine):
    """Each byte comes within the limit, the reply does not: a server cannot keep a place by trickling."""
    inbox.pace = COMMAND / 4
    began = time.monotonic()
    assert type(await send(engine, "trickle")) is Transient
    assert time.monotonic() - began < 2 * COMMAND
    inbox.pace = 0.0
    assert type(await send(engine)) is Accepted


async def test_a_body_that_is_not_read_has_a_limit(inbox, engine):
    """The server takes nothing: transient, for the dot never left; a short mail's dot did, and is in doubt."""
    inbox.pace = 60.0
    began = time.monotonic()
    assert type(await send(engine, "sip", BIG)) is Transient
    assert type(await send(engine, "sip")) is InDoubt
    assert time.monotonic() - began < 2 * (COMMAND + DATA)
    assert type(await send(engine)) is Accepted


@pytest.mark.parametrize(("mode", "new", "standing"), [
    (Mode.REFUSE_CONNECTIONS, Transient, Transient), (Mode.HANG_UP, Transient, Accepted),
    (Mode.SHUTDOWN, Transient, Transient), (Mode.BLOCK, SenderBlocked, SenderBlocked),
    (Mode.LOGIN_REFUSED, EngineStopped, EngineStopped),
])
@pytest.mark.parametrize("warm", [True, False])
async def test_a_mode_ends_and_the_engine_recovers(inbox, engine, mode, new, standing, warm):
    """Over a connection that stands or a new one: the outcome by the table, no doubt, and then mail again."""
    if warm:
        assert type(await send(engine)) is Accepted
    inbox.mode = mode
    assert {type(await send(engine)) for _ in range(3)} == {standing if warm else new}
    inbox.mode = Mode.NORMAL
    assert type(await send(engine)) is Accepted


async def test_a_server_that_is_gone_comes_back(inbox, engine):
    """Its port refuses for a while: transient at once, and mail again when it listens."""
    assert type(await send(engine)) is Accepted
    await inbox.__aexit__(None, None, None)
    await asyncio.sleep(0.05)
    assert {type(await send(engine)) for _ in range(3)} == {Transient}
    async with Inbox(port=inbox.port):
        assert type(await send(engine)) is Accepted


async def test_half_of_the_mails_are_refused(inbox, engine):
    """Each by itself: the connection is kept."""
    inbox.mode = Mode.HALF
    assert [type(await send(engine)) for _ in range(4)] == [Accepted, MessageRejected] * 2
    assert inbox.connections == 1


async def test_a_refused_login_stops_the_engine(monkeypatch):
    """535 is a person's business, and what it says names neither name nor password."""
    monkeypatch.setenv("RELAY_PASSWORD", "s3cret")
    async with Inbox(credentials=("robot", "s3cret")) as inbox:
        engine = engine_for(inbox, username="robot", password="env:RELAY_PASSWORD")
        assert type(await send(engine)) is Accepted
        await engine.close()
        inbox.mode = Mode.LOGIN_REFUSED
        engine = engine_for(inbox, username="robot", password="env:RELAY_PASSWORD")
        assert type(await send(engine)) is EngineStopped
        await engine.close()


@pytest.mark.parametrize(("limit", "wait"), [(Limit(2), None), (Limit(2, wait=9), 9.0)])
async def test_a_limit_throttles_and_tells_how_long(limit, wait):
    """454 in SES's words, 451 with a wait: the engine is too fast, the connection is kept."""
    async with Inbox(limit=limit) as inbox:
        engine = engine_for(inbox)
        outcomes = [await send(engine) for _ in range(3)]
        assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted, Throttled]
        assert outcomes[2].retry_after == wait
        assert inbox.connections == 1
        await engine.close()
