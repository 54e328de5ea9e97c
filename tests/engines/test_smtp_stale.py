"""Connections that the server closed between two messages: noticed before anything of a message was taken."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from outreach_stream.domain.outcomes import Accepted, Failure, InDoubt, Throttled, Transient
from outreach_stream.engines import smtp_transaction
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from tests.messages import raw

MAIL = raw("<1@s>", "n@s.example", "joe@r.example", b"Subject: x\r\n\r\nHello\r\n")


@asynccontextmanager
async def server(*lives):
    """A server whose connections each run the next of `lives`; gives the engine and the list of those begun."""
    begun = []

    async def serve(reader, writer):
        begun.append(life := lives[min(len(begun), len(lives) - 1)])
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 PIPELINING\r\n")
        await life(reader, writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    engine = SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": listening.sockets[0].getsockname()[1],
        "security": "none", "concurrency": 1, "timeouts": {"connect": "1s", "command": "500ms", "data": "500ms"}}))
    try:
        yield engine, begun, listening
    finally:
        await engine.close()
        listening.close()


async def transact(reader, writer):
    if await reader.readline() in (b"QUIT\r\n", b""):
        return False
    await reader.readuntil(b"DATA\r\n")
    writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
    await reader.readuntil(b"\r\n.\r\n")
    writer.write(b"250 ok\r\n")
    return True


async def willing(reader, writer):
    while await transact(reader, writer):
        pass


async def closes_when_the_next_comes(reader, writer):
    """The race: the server's goodbye crosses our MAIL."""
    await transact(reader, writer)
    await reader.readuntil(b"DATA\r\n")


async def says_421_when_the_next_comes(reader, writer):
    await closes_when_the_next_comes(reader, writer)
    writer.write(b"421 4.4.2 timeout exceeded\r\n")


async def throttles_the_next(reader, writer):
    await closes_when_the_next_comes(reader, writer)
    writer.write(b"421 4.7.0 too many messages, slow down\r\n")


async def closes_after_the_first_reply(reader, writer):
    await closes_when_the_next_comes(reader, writer)
    writer.write(b"250 ok\r\n")


async def closes_at_once(reader, writer):
    await reader.readuntil(b"DATA\r\n")


async def send(engine: SmtpEngine):
    connection = await engine.acquire()
    assert not isinstance(connection, Failure)
    outcome = await connection.hand_over(MAIL)
    engine.release(connection)
    return outcome


@pytest.mark.parametrize("first", [closes_when_the_next_comes, says_421_when_the_next_comes])
async def test_a_stale_connection_costs_nothing(first):
    """The mail goes over a fresh connection at once, within the same attempt; and so do the next ones."""
    async with server(first, willing) as (engine, begun, _):
        assert [type(await send(engine)) for _ in range(3)] == [Accepted] * 3
        assert begun == [first, willing]


async def test_it_is_replaced_once():
    """A server that hangs up on the fresh one too has failed."""
    async with server(closes_when_the_next_comes, closes_at_once) as (engine, begun, _):
        assert type(await send(engine)) is Accepted
        assert type(await send(engine)) is Transient
        assert len(begun) == 2


async def test_a_young_connection_is_not_stale():
    """Who hangs up on the first message of a new connection means us: no second try."""
    async with server(closes_at_once, willing) as (engine, begun, _):
        assert type(await send(engine)) is Transient
        assert len(begun) == 1
        assert type(await send(engine)) is Accepted


async def test_one_that_waited_unused_is_stale(monkeypatch):
    """A mail may wait long for its token with a new connection in hand."""
    monkeypatch.setattr(smtp_transaction, "_YOUNG", 0.05)
    async with server(closes_at_once, willing) as (engine, begun, _):
        connection = await engine.acquire()
        await asyncio.sleep(0.1)
        assert type(await connection.hand_over(MAIL)) is Accepted
        engine.release(connection)
        assert len(begun) == 2


@pytest.mark.parametrize(("first", "expected"), [
    (throttles_the_next, Throttled), (closes_after_the_first_reply, Transient)])
async def test_what_the_server_has_answered_is_an_attempt(first, expected):
    """A throttling 421 is heeded, and what was lost after an answer is not stale."""
    async with server(first, willing) as (engine, begun, _):
        assert type(await send(engine)) is Accepted
        assert type(await send(engine)) is expected
        assert len(begun) == 1


async def test_a_connection_lost_after_the_dot_is_never_stale():
    """What may have been sent is not sent again by the engine."""
    async def loses_the_second(reader, writer):
        await closes_when_the_next_comes(reader, writer)
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.readuntil(b"\r\n.\r\n")

    async with server(loses_the_second, willing) as (engine, begun, _):
        assert type(await send(engine)) is Accepted
        assert type(await send(engine)) is InDoubt
        assert len(begun) == 1


async def test_no_fresh_one_to_be_had_is_the_outcome():
    """The server went away for good: a value, in bounded time, and a free place."""
    async with server(closes_when_the_next_comes) as (engine, _, listening):
        assert type(await send(engine)) is Accepted
        listening.close()
        outcome = await send(engine)
        assert type(outcome) is Transient
        assert outcome.reason.startswith("connect_")
        assert type(await engine.acquire()) is Transient
