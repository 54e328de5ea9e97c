"""A request of which a part never left: its Content-Length was not reached, so no server has taken it."""

import asyncio
import socket
import struct

import pytest

from outreach_stream.domain.outcomes import InDoubt, MessageRejected, Transient
from tests.engines.http_peer import answer, narrow, peer
from tests.engines.plain_http import MAIL, Plain, engine_at

BODY = b"x" * 20_000_000
"""More than the buffers of both sides hold."""
END = b"THE END"


@pytest.fixture(params=["clear", "tls"])
def start(request, certificates):
    """An engine and its server's TLS, in clear and under TLS."""
    tls = request.param == "tls"

    def engine(port: int, body: bytes = BODY + END):
        secure = {"scheme": "https", "ca_file": str(certificates.authority)} if tls else {}
        return engine_at(port, Plain(body=body), **secure)

    return engine, certificates.server if tls else None


class Deaf:
    """Reads the beginning of a request, then does as it is told, and at last reads whatever still comes."""

    def __init__(self, then) -> None:
        self.then = then
        self.received = 0
        self.end = b""
        self.done = asyncio.Event()

    async def __call__(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        try:
            await self.then(reader, writer)
            while data := await reader.read(1_000_000):
                self.received += len(data)
                self.end = (self.end + data)[-len(END):]
        finally:
            self.done.set()


async def pause(reader, writer):
    await asyncio.sleep(1.0)


async def hang_up(reader, writer):
    await asyncio.sleep(0.2)
    writer.transport.abort()


async def refuse(reader, writer):
    writer.write(answer(b"", "413 Payload Too Large"))
    await asyncio.sleep(0.5)


@pytest.mark.parametrize(("then", "reason"), [(pause, "send_timeout"), (hang_up, "send_connection_lost")])
async def test_a_mail_that_has_not_left_is_in_no_doubt(start, then, reason):
    """The server stops reading: the attempt failed, and the rest does not follow when it reads again."""
    engine_to, tls = start
    server = Deaf(then)
    async with peer(server, tls=tls, sock=narrow()) as port:
        engine = engine_to(port)
        connection = await engine.acquire()
        outcome = await connection.hand_over(MAIL)

        assert type(outcome) is Transient and outcome.reason == reason
        assert not connection.handed_over and not connection.reusable
        engine.release(connection)
        await asyncio.wait_for(server.done.wait(), 10)
    assert server.received < len(BODY) and server.end != END


async def test_cancelled_before_all_had_left(start):
    """The caller is told that nothing was accepted."""
    engine_to, tls = start
    server = Deaf(pause)
    async with peer(server, tls=tls, sock=narrow()) as port:
        connection = await engine_to(port).acquire()
        attempt = asyncio.create_task(connection.hand_over(MAIL))
        await asyncio.sleep(0.2)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

        assert not connection.handed_over
        await asyncio.wait_for(server.done.wait(), 10)
    assert server.received < len(BODY) and server.end != END


async def test_an_answer_before_the_request_was_read(start):
    """It counts, and the connection is closed: the rest of the mail would be taken for another request."""
    engine_to, tls = start
    server = Deaf(refuse)
    async with peer(server, tls=tls, sock=narrow()) as port:
        connection = await engine_to(port).acquire()
        outcome = await connection.hand_over(MAIL)

        assert outcome == MessageRejected("send_413")
        assert not connection.reusable
        await asyncio.wait_for(server.done.wait(), 10)
    assert server.end != END


async def test_a_large_mail_that_left_is_in_doubt(start):
    """All of it was read, piece by piece, and no answer came: now it may have been taken."""
    async def read_all(reader, writer):
        left = len(BODY + END)
        while left:
            left -= len(await reader.read(min(left, 1_000_000)))
        await asyncio.sleep(1.0)

    engine_to, tls = start
    async with peer(Deaf(read_all), tls=tls, sock=narrow()) as port:
        engine = engine_to(port)
        connection = await engine.acquire()
        connection._limit = 5.0
        attempt = asyncio.create_task(connection.hand_over(MAIL))
        async with asyncio.timeout(5):
            while not connection.handed_over:
                await asyncio.sleep(0.01)
        connection._wire._fail(TimeoutError("no answer"))
        outcome = await attempt

    assert type(outcome) is InDoubt and connection.handed_over


async def test_a_write_that_fails_at_once_has_not_left():
    """The server has reset the connection in the very moment: the kernel refuses the mail."""
    async def serve(reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with peer(serve) as port:
        connection = await engine_at(port).acquire()
        wire = connection._wire
        wire._transport.pause_reading()  # or the event loop, and then the kernel, would tell before
        wire._readable.unregister(wire._transport.get_extra_info("socket").fileno())
        await asyncio.sleep(0.1)

        outcome = await connection.hand_over(MAIL)

    assert type(outcome) is Transient and not connection.handed_over
