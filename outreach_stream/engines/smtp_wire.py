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
_REFUSAL = 400
"""The first code of a refusal (RFC 5321 section 4.2.1)."""
_USUAL = {"250 ": 250, "354 ": 354}
"""Codes of replies that are parsed with the least work: nearly all are of one line."""


class SmtpWire(asyncio.Protocol):
    """Takes a transport over from aiosmtplib, whose own protocol loses pipelined replies that come in one packet.

    A wire that failed once (lost, timed out, out of step) fails for good: `usable` is False, reads raise.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._expected = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = 0
        self._limit = self._due = self._rings = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._tail = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.unasked: Reply | None = None
        """What it failed with, if that was a reply to nothing that we had said to its end."""
        self.unsent = False
        """The wire has failed, and something written before the tail has not left this process, nor ever will."""
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

    def write(self, data: bytes, expect: int = 0, tail: int = 0) -> None:
        """Send `data`, which the server will answer with `expect` replies. Does not wait.

        The last `tail` bytes do not count for `unsent`. On a wire that is lost nothing happens: the next read tells.
        """
        if self._error is not None:
            self.unsent = True
            return
        self._expected += expect
        if tail != self._tail:  # `_writable` tells whether no more than the tail is left
            self._tail = tail
            self._transport.set_write_buffer_limits(high=max(tail, 1), low=tail)
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
        return (await self.replies(1, timeout))[0]

    async def replies(self, count: int, timeout: float) -> list[Reply]:  # noqa: ASYNC109
        """The next `count` replies, each waited for at most `timeout` seconds, in one wait.

        Fewer, but at least one, where one of them is a refusal (that is the last then) or the wire fails meanwhile.
        Raises `ConnectionError`, `TimeoutError`.
        """
        waiting = self._replies
        if not self._enough(count):
            await self._wait(count, timeout)
        if not waiting:
            raise cast("Exception", self._error)
        taken: list[Reply] = []
        while waiting and len(taken) < count:
            taken.append(reply := waiting.popleft())
            if reply.code >= _REFUSAL:
                break
        return taken

    def _enough(self, count: int) -> bool:
        return len(self._replies) >= count or self._error is not None \
            or any(reply.code >= _REFUSAL for reply in self._replies)

    async def _wait(self, count: int, limit: float) -> None:
        """Return when there are so many replies, or a refusal, or the wire has failed."""
        self._wanted, self._limit = count, limit
        self._put_off()
        if self._timer is None or self._rings > self._due:
            self._stop()
            self._ring()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

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
        self._stop()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse replies as they come (RFC 5321 section 4.2: `250-` goes on, `250 ` ends)."""
        lines, end, self._rest = (self._rest + data if self._rest else data).rpartition(b"\n")
        before = len(self._replies)
        if end:
            for line in lines.decode("utf-8", "replace").split("\n"):
                code = None if self._lines else _USUAL.get(line[:4])
                if code:
                    self._replied(Reply(code, line[4:].strip()))
                else:
                    self._line_received(line.rstrip("\r"))
        if (self._rest or self._lines) and len(self._rest) + sum(map(len, self._lines)) > _REPLY_LIMIT:
            self._fail(MalformedReply("the reply does not end"))
        if len(self._replies) > before and self._waiter and not self._waiter.done():
            if self._enough(self._wanted):
                self._waiter.set_result(None)
            else:
                self._put_off()  # each reply has the whole limit

    def _line_received(self, line: str) -> None:
        code, mark = line[:3], line[3:4]
        if not (code.isascii() and code.isdecimal() and mark in ("", " ", "-")):
            self._fail(MalformedReply("not an SMTP reply"))
            return
        self._lines.append(line[4:].strip())
        if mark != "-":
            reply = Reply(int(code), "\n".join(self._lines))
            self._lines.clear()
            self._replied(reply)

    def _replied(self, reply: Reply) -> None:
        if self._error is not None:
            return  # after something that is no reply nobody knows what it answers
        self._expected -= 1
        if self._expected < 0:
            self._expected, self.unasked = 0, reply
            self._fail(MalformedReply(f"spoke unasked: {reply.code}"))
        else:
            self._replies.append(reply)

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
        self._stop()
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    # One timer for many waits: to set one for each costs more than all the rest of a wait. It rings when the first of
    # them would have been over, and looks then how long the one that runs has.

    def _put_off(self) -> None:
        self._due = self._loop.time() + self._limit

    def _ring(self) -> None:
        self._rings = self._due
        self._timer = self._loop.call_at(self._due, self._rung)

    def _rung(self) -> None:
        """A reply that came in the very moment in which it was given up has come: whoever waits goes on with it."""
        self._timer = None
        if self._waiter and not self._waiter.done():
            if self._loop.time() < self._due:
                self._ring()
            else:
                self._fail(TimeoutError(f"no reply within {self._limit:g} s"))

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
