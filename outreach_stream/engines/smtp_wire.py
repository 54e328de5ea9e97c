"""The bytes of an SMTP connection that stands: commands out, replies in, matched in order."""

import asyncio
import ssl
from collections import deque
from typing import cast

from outreach_stream.engines.failures import MalformedReply
from outreach_stream.engines.smtp_replies import Reply

_REPLY_LIMIT = 32_768
"""Bytes a reply may have, so that a babbling server does not fill our memory; RFC 5321 section 4.5.3.1.5 asks for
512 a line."""


class SmtpWire(asyncio.Protocol):
    """Takes a transport over from aiosmtplib, whose own protocol loses pipelined replies that come in one packet.

    A wire that failed once (lost, timed out, out of step) fails for good: `usable` is False, reads raise.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._expected = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.unasked: Reply | None = None
        """What it failed with, if that was a reply to nothing that we had said to its end."""
        self.unsent = False
        """Something that was written has not left this process, nor ever will, since the wire has failed."""
        transport.set_protocol(self)
        # So that `_writable` says whether everything has left; with 0, asyncio's TLS would pause for ever.
        transport.set_write_buffer_limits(high=1)

    @property
    def usable(self) -> bool:
        """Whether the connection stands and nothing is outstanding."""
        return self._error is None and not self._expected and not self._replies \
            and not self._transport.is_closing()

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """What encrypts the connection; None: nothing does."""
        return cast("ssl.SSLObject | None", self._transport.get_extra_info("ssl_object"))

    def write(self, data: bytes, expect: int = 0) -> None:
        """Send `data`, which the server will answer with `expect` replies. Does not wait.

        On a wire that is lost nothing happens: the next read tells.
        """
        if self._error is not None:
            self.unsent = True
            return
        self._expected += expect
        self._transport.write(data)

    async def drained(self, timeout: float) -> None:  # noqa: ASYNC109 - a protocol's limit, not a caller's
        """Wait until what was written is out. Raises `ConnectionError`, `TimeoutError`."""
        if not self._writable.is_set():
            async with asyncio.timeout(timeout):
                await self._writable.wait()
        if self._error:
            raise self._error

    async def reply(self, timeout: float) -> Reply:  # noqa: ASYNC109
        """The next reply, waited for at most `timeout` seconds. Raises `ConnectionError`, `TimeoutError`."""
        if self._replies:
            return self._replies.popleft()
        if self._error:
            raise self._error
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._late, TimeoutError(f"no reply within {timeout:g} s"))
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
        return self._replies.popleft()

    async def quit(self, timeout: float) -> None:  # noqa: ASYNC109
        """Say QUIT and close, politely but within `timeout` seconds. Raises nothing."""
        try:
            self.write(b"QUIT\r\n", expect=1)
            await self.reply(timeout)
        except OSError:
            pass  # the server has gone first: so be it
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once; what was not written yet never will be."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse replies as they come (RFC 5321 section 4.2: `250-` goes on, `250 ` ends)."""
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "replace")
            del self._buffer[: end + 1]
            self._line_received(line)
        if len(self._buffer) + sum(map(len, self._lines)) > _REPLY_LIMIT:
            self._fail(MalformedReply("the reply does not end"))

    def _line_received(self, line: str) -> None:
        code, mark = line[:3], line[3:4]
        if not (code.isascii() and code.isdecimal() and mark in ("", " ", "-")):
            self._fail(MalformedReply("not an SMTP reply"))
            return
        self._lines.append(line[4:].strip())
        if mark == "-":
            return
        reply = Reply(int(code), "\n".join(self._lines))
        self._lines.clear()
        self._expected -= 1
        if self._expected < 0:
            self._expected, self.unasked = 0, reply
            self._fail(MalformedReply(f"spoke unasked: {reply.code}"))
            return
        self._replies.append(reply)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits; a reply that came before the end is still handed out."""
        self._fail(ConnectionError(f"connection lost: {exc}" if exc else "closed by the server"))

    def pause_writing(self) -> None:
        """The server reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error, self.unsent = error, not self._writable.is_set()
            if self.unsent:
                self._transport.abort()  # or the rest of a message would still go, its final dot included
        self._writable.set()
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(self._error)

    def _late(self, error: TimeoutError) -> None:
        """A reply that came in the very moment in which it was given up has come: whoever waits goes on with it."""
        if self._waiter and not self._waiter.done():
            self._fail(error)

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
