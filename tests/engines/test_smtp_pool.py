"""How connections are shared, aged and given up, against the real inbox."""

import asyncio

import pytest

from outreach_stream.domain.outcomes import Accepted, Failure, Transient
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.inbox import Inbox
from tests.messages import raw


@pytest.fixture
async def inbox():
    async with Inbox() as inbox:
        yield inbox


def engine_for(inbox: Inbox, **connections) -> SmtpEngine:
    return SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": inbox.port, "security": "none",
        "concurrency": 2, "connections": connections, "timeouts": {"command": "1s", "data": "1s"}}))


async def send(engine: SmtpEngine, name: str = "joe"):
    connection = await engine.acquire()
    assert not isinstance(connection, Failure)
    outcome = await connection.hand_over(raw("<1@s>", "n@s.example", f"{name}@r.example", b"x\r\n"))
    engine.release(connection)
    return outcome


async def eventually(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_connection_is_used_again(inbox):
    """Mails one after the other share one connection."""
    engine = engine_for(inbox)
    for _ in range(10):
        assert isinstance(await send(engine), Accepted)
    assert inbox.connections == 1
    await engine.close()


async def test_a_connection_ends_after_its_messages(inbox):
    """After max_messages comes a new connection, refused mails counted too."""
    engine = engine_for(inbox, max_messages=3)
    for name in ("joe", "refuse", "joe", "joe", "joe", "joe", "joe"):
        await send(engine, name)
    assert inbox.connections == 3
    await engine.close()


async def test_an_idle_connection_is_quit(inbox):
    """Nobody needs it for as long as `idle`: it says QUIT by itself."""
    engine = engine_for(inbox, idle="50ms")
    await send(engine)
    assert inbox.open_connections == 1
    await eventually(lambda: inbox.open_connections == 0)
    assert isinstance(await send(engine), Accepted)
    await engine.close()


async def test_a_refusal_keeps_the_connection(inbox):
    """A refused recipient costs an RSET, not a connection."""
    engine = engine_for(inbox)
    for name in ("refuse", "joe", "busy", "block", "joe"):
        await send(engine, name)
    assert inbox.connections == 1
    assert [mail.recipient for mail in inbox.mails] == ["joe@r.example"] * 2
    await engine.close()


async def test_a_421_ends_the_connection(inbox):
    """The server says that it closes: the mail is transient, the next goes over a new connection."""
    engine = engine_for(inbox)
    await send(engine)
    assert isinstance(await send(engine, "shutdown"), Transient)
    assert isinstance(await send(engine), Accepted)
    assert inbox.connections == 2
    await engine.close()


async def test_a_connection_that_the_server_closed_is_not_lent(inbox):
    """The server hangs up on an idle connection: the next mail notices nothing."""
    engine = engine_for(inbox)
    await send(engine)
    inbox.hang_up()
    await asyncio.sleep(0.05)
    assert isinstance(await send(engine), Accepted)
    await engine.close()


async def test_a_cancelled_connect_frees_its_place(inbox):
    """Cancelling an acquire while it connects leaks neither a place nor a connection."""
    inbox.latency = 0.2
    engine = engine_for(inbox)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine.acquire(), 0.05)
    inbox.latency = 0.0
    assert isinstance(await send(engine), Accepted)
    await eventually(lambda: inbox.open_connections == 1)
    await engine.close()


async def test_closing_leaves_no_connection(inbox):
    """After close the server sees nobody, not even those that were lent out and came back late."""
    engine = engine_for(inbox)
    late = await engine.acquire()
    await send(engine)
    await engine.close()
    engine.release(late)
    await eventually(lambda: inbox.open_connections == 0)
    assert isinstance(await engine.acquire(), Transient)
