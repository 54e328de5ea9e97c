"""A wire in the moments in which two things happen at once."""

import asyncio
import socket
import ssl
import time

import pytest

from outreach_stream.engines.smtp_wire import SmtpWire
from tests.reads import receive


class Transport:
    """Keeps what was written."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: object) -> None:
        pass

    def set_write_buffer_limits(self, **limits: int) -> None:
        pass


async def test_a_reply_in_the_moment_of_its_time_limit_has_come():
    """The next command's answer must not be given up for the limit of this one: that would leave a mail in doubt."""
    wire = SmtpWire(Transport())
    wire.write(b"MAIL FROM:<a@b.example>\r\n", expect=1)
    waiting = asyncio.create_task(wire.reply(0.05))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(receive, wire, b"250 ok\r\n")
    time.sleep(0.06)  # the loop is busy: reply and limit are due together  # noqa: ASYNC251
    assert (await waiting).code == 250
    assert wire.usable


async def test_what_is_written_to_a_lost_wire_has_not_left():
    """A server that says 354 and hangs up has seen no final dot, whatever is handed to the wire afterwards."""
    transport = Transport()
    wire = SmtpWire(transport)
    wire.write(b"DATA\r\n", expect=1)
    await asyncio.sleep(0)
    receive(wire, b"354 go on\r\n")
    wire.connection_lost(None)
    assert (await wire.reply(1)).code == 354
    wire.write(b"Hello\r\n.\r\n", expect=1)
    with pytest.raises(ConnectionError):
        await wire.reply(1)
    assert wire.unsent
    assert transport.written == b"DATA\r\n"


async def test_what_is_held_for_the_end_of_the_turn_has_not_left():
    """A connection that breaks in the very turn in which a message was given to it has carried nothing of it."""
    transport = Transport()
    wire = SmtpWire(transport)
    wire.write(b"Hello\r\n.\r\nMAIL", expect=1, tail=4)
    wire.connection_lost(None)
    await asyncio.sleep(0)
    assert (transport.written, transport.closed, wire.unsent) == (b"", True, True)


async def test_what_is_held_when_the_server_hangs_up_has_not_left():
    """The transport closes before the end of the turn, and tells of it only afterwards: it would throw a write away."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire = SmtpWire(transport)
    wire.write(b"Hello\r\n.\r\n", expect=1)
    transport.close()   # as it does by itself when it has read the end
    with pytest.raises(ConnectionError):
        await wire.reply(1)
    assert wire.unsent
    assert theirs.recv(100) == b""
    theirs.close()


async def test_what_several_wires_write_in_a_turn_leaves_at_its_end():
    """In the order in which it was given; and nothing of a wire that was given up meanwhile."""
    transports = [Transport() for _ in range(3)]
    wires = [SmtpWire(transport) for transport in transports]
    for wire in wires:
        wire.write(b"MAIL\r\n")
        wire.write(b"RCPT\r\n")
    wires[1].abort()
    assert not any(transport.written for transport in transports)
    await asyncio.sleep(0)
    assert [transport.written for transport in transports] == [b"MAIL\r\nRCPT\r\n", b"", b"MAIL\r\nRCPT\r\n"]


@pytest.mark.parametrize(("tail", "unsent"), [(0, True), (10, True), (999_990, False)])
async def test_what_has_left_is_told_up_to_the_tail(tail, unsent):
    """The next message's commands stand behind a final dot: that they have not left says nothing of the dot."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire = SmtpWire(transport)
    wire.write(b"x" * 1_000_000, expect=1, tail=tail)  # more than the sockets hold, of which the first bytes leave
    with pytest.raises(TimeoutError):
        await wire.reply(0.01)
    assert transport.get_write_buffer_size() or transport.is_closing()
    assert wire.unsent is unsent
    wire.abort()
    theirs.close()


@pytest.mark.parametrize(("tail", "drained", "unsent"), [(0, False, True), (10, False, True), (999_990, False, False),
                                                         (0, True, False), (10, True, False)])
async def test_what_was_left_before_counts_as_well(tail, drained, unsent):
    """A wire that was behind tells of the last write all the same: behind what is left, or when all has left."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire = SmtpWire(transport)
    wire.write(b"x" * 1_000_000, tail=999_990)
    await asyncio.sleep(0)
    if drained:
        theirs.setblocking(False)
        async with asyncio.timeout(5):
            while transport.get_write_buffer_size():
                await asyncio.get_running_loop().sock_recv(theirs, 100_000)
    wire.write(b"x" * 100, expect=1, tail=tail)
    with pytest.raises(TimeoutError):
        await wire.reply(0.01)
    assert wire.unsent is unsent
    wire.abort()
    theirs.close()


async def test_waits_until_a_wire_that_was_behind_is_out():
    """Whoever writes more than the sockets hold waits for as long as it takes to leave."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire, loop = SmtpWire(transport), asyncio.get_running_loop()
    theirs.setblocking(False)
    for tail in (999_990, 0, 0):
        wire.write(b"x" * 1_000_000, tail=tail)
    waiting = asyncio.create_task(wire.drained(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    read = 0
    async with asyncio.timeout(5):
        while read < 3_000_000:
            read += len(await loop.sock_recv(theirs, 1_000_000))
    await waiting
    assert not transport.get_write_buffer_size()
    wire.abort()
    theirs.close()


async def test_each_reply_of_a_group_has_the_whole_limit():
    """What comes in time, one after the other, is not late as a whole; what does not come ends the wait."""
    wire = SmtpWire(Transport())
    wire.write(b"MAIL RCPT DATA", expect=4)
    loop = asyncio.get_running_loop()
    for reply in range(3):
        loop.call_later(0.06 * (reply + 1), receive, wire, b"250 ok\r\n")
    assert [reply.code for reply in await wire.replies(3, 0.1)] == [250] * 3
    began = loop.time()
    with pytest.raises(TimeoutError, match=r"0\.05 s"):  # a shorter limit than that for which a timer runs
        await wire.replies(1, 0.05)
    assert loop.time() - began >= 0.05
    assert not wire.usable


async def test_lines_of_a_reply_put_no_limit_off():
    """A server that goes on and on with one reply has not replied."""
    wire = SmtpWire(Transport())
    wire.write(b"NOOP", expect=1)

    async def babble():
        while wire.usable or wire._error is None:
            receive(wire, b"250-and then\r\n")
            await asyncio.sleep(0.005)

    babbling = asyncio.create_task(babble())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await wire.reply(0.05)
    await babbling


async def test_a_refusal_ends_the_wait_for_a_group():
    """Who is refused at once need not wait for what the server leaves unanswered."""
    wire = SmtpWire(Transport())
    wire.write(b"MAIL RCPT DATA", expect=3)
    asyncio.get_running_loop().call_soon(receive, wire, b"250 ok\r\n421 4.3.2 closing\r\n")
    assert [reply.code for reply in await wire.replies(3, 60)] == [250, 421]


async def test_after_what_is_no_reply_nothing_is():
    """A good reply behind it might answer anything: it must not pass for that to a final dot."""
    wire = SmtpWire(Transport())
    wire.write(b"Hello\r\n.\r\nMAIL", expect=2)
    receive(wire, b"nonsense\r\n250 ok\r\n")
    with pytest.raises(ConnectionError):
        await wire.reply(1)


async def test_replies_over_tls_come_whole(certificates):
    """However many records they come in, and longer than the room that they are read into."""
    texts = [f"250 number {number}" for number in range(300)]
    long = "".join(f"250-{'x' * 400} {number}\r\n" for number in range(40)) + "250 end"

    async def serve(_, writer):
        for text in (*texts, long):
            writer.write(f"{text}\r\n".encode())  # each write is a record of its own
        await writer.drain()

    trusting = ssl.create_default_context(cafile=certificates.authority)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server) as server:
        port = server.sockets[0].getsockname()[1]
        _, reading = await asyncio.get_running_loop().create_connection(
            lambda: Reading(len(texts) + 1), "localhost", port, ssl=trusting)
        wire = await reading.wire
        replies = await wire.replies(len(texts) + 1, 5)
        wire.abort()
    assert [reply.text for reply in replies[:-1]] == [text[4:] for text in texts]
    assert replies[-1].text.count("\n") == 40


class Reading(asyncio.Protocol):
    """Gives its transport to a wire that expects so many replies, before anything is read."""

    def __init__(self, expected: int) -> None:
        self.wire, self._expected = asyncio.get_running_loop().create_future(), expected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = SmtpWire(transport)
        wire.write(b"NOOP\r\n", expect=self._expected)
        self.wire.set_result(wire)
