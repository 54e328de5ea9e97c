"""A final dot that was written, but has not left: it is known that no server has seen it."""

import asyncio
import socket

import pytest

from outreach_stream.domain.outcomes import MessageRejected, Throttled, Transient
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from tests.engines.chained import Queue, mail
from tests.messages import raw

BODY = b"A line of no importance.\r\n" * 2_400
"""Goes out with one write, and is more than the narrowed buffers on both sides hold."""


def narrow() -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


@pytest.mark.parametrize("followers", [0, 1])
@pytest.mark.parametrize("ends", ["silent", "lost"])
async def test_a_dot_that_never_left_is_no_doubt(ends, followers):
    """The server stops reading in the middle: nothing was accepted, and the rest is not sent when it reads again.

    Nor does it matter that the next message's commands stood behind the dot.
    """
    seen = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await asyncio.sleep(0.2)
        if ends == "lost":
            writer.transport.abort()
        else:
            await asyncio.sleep(0.4)
        try:
            seen.set_result(await reader.read(-1))
        except ConnectionError:
            seen.set_result(b"")

    server = await asyncio.start_server(serve, sock=narrow(), limit=1_024)
    engine = SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1],
        "security": "none", "timeouts": {"command": "400ms", "data": "400ms"}}))
    connection = await engine.acquire()
    connection.wire._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)

    queue = Queue(mail("fine", BODY), *["fine"] * followers)
    await connection.hand_over_all(queue)
    outcome, *others = queue.outcomes
    received = await asyncio.wait_for(seen, 5)

    assert type(outcome) is Transient
    assert outcome.reason.startswith("data_")
    assert [type(other) for other in others] == [Transient] * followers
    assert not connection.handed_over and not connection.reusable
    assert b"\r\n.\r\n" not in received
    engine.release(connection)
    await engine.close()
    server.close()


@pytest.mark.parametrize(("reply", "meaning"), [
    (b"552 5.3.4 Message too big", MessageRejected), (b"421 4.7.0 Too many messages, slow down", Throttled),
    (b"250 thanks", Transient)])
async def test_a_server_may_say_no_in_the_middle(reply, meaning):
    """It is heard, since it says why; a yes to half a message is none."""
    async def serve(reader, writer):
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.read(1_000)
        writer.write(reply + b"\r\n")
        await asyncio.sleep(5)

    server = await asyncio.start_server(serve, sock=narrow(), limit=1_024)
    engine = SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1],
        "security": "none"}))
    connection = await engine.acquire()

    outcome = await asyncio.wait_for(connection.hand_over(raw("<1@s>", "n@s.example", "joe@r.example", BODY * 200)), 5)

    assert type(outcome) is meaning and outcome.reason.startswith("data_")
    assert not connection.handed_over and not connection.reusable
    engine.release(connection)
    await engine.close()
    server.close()
