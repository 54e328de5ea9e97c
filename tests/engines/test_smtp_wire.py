"""A wire in the moments in which two things happen at once."""

import asyncio
import time

import pytest

from outreach_stream.engines.smtp_wire import SmtpWire


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
    asyncio.get_running_loop().call_soon(wire.data_received, b"250 ok\r\n")
    time.sleep(0.06)  # the loop is busy: reply and limit are due together  # noqa: ASYNC251
    assert (await waiting).code == 250
    assert wire.usable


async def test_what_is_written_to_a_lost_wire_has_not_left():
    """A server that says 354 and hangs up has seen no final dot, whatever is handed to the wire afterwards."""
    transport = Transport()
    wire = SmtpWire(transport)
    wire.write(b"DATA\r\n", expect=1)
    wire.data_received(b"354 go on\r\n")
    wire.connection_lost(None)
    assert (await wire.reply(1)).code == 354
    wire.write(b"Hello\r\n.\r\n", expect=1)
    with pytest.raises(ConnectionError):
        await wire.reply(1)
    assert wire.unsent
    assert transport.written == b"DATA\r\n"
