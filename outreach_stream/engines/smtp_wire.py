"""The bytes of an SMTP connection that stands: commands out, replies in, matched in order."""

import asyncio
import ssl
from collections import deque
from typing import cast

from outreach_stream.engines.failures import MalformedReply
from outreach_stream.engines.smtp_cork import cork_of
from outreach_stream.engines.smtp_lines import ReplyReader
from outreach_stream.engines.smtp_replies import Reply

_REFUSAL = 400
"""The first code of a refusal (RFC 5321 section 4.2.1)."""
_ROOM = 4_096
"""Bytes that one read takes: many replies."""


class SmtpWire(asyncio.BufferedProtocol):
    """Takes a transport over from aiosmtplib, whose own protocol loses pipelined replies that come in one packet.

    A wire that failed once (lost, timed out, out of step) fails for good: `usable` is False, reads raise.

    It reads into room of its own: for each read asyncio would ask for a quarter of a megabyte, which costs more than
    all that is done with a reply.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        # A view: asyncio's TLS cuts it, and a slice of anything else would be a copy.
        self._room = memoryview(bytearray(_ROOM))
        self._cork = cork_of(self._loop)
        self._held = b""    # to be written at the end of this turn
        self._tail = 0      # bytes of it that do not count for `unsent`
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._refusals = 0  # how many of them are
        self._expected = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wanted = 0
        self._limit = self._due = self._rings = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._behind = False    # something did not leave at once
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
        """Send `data`, which the server will answer with `expect` replies, in a moment. Does not wait.

        The last `tail` bytes do not count for `unsent`. On a wire that is lost nothing happens: the next read tells.
        """
        if self._error is not None:
            self.unsent = True
            return
        self._expected += expect
        self._tail = tail
        if self._held:
            self._held += data
        else:
            self._held = data
            self._cork.hold(self._send)

    def _send(self) -> None:
        """Write what is held, if the wire has not failed since, nor is about to: then it never leaves."""
        if self._transport.is_closing():
            return
        data, self._held = self._held, b""
        if data:
            self._transport.write(data)
        if self._behind:
            self._watch(self._tail)

    def _watch(self, tail: int) -> None:
        """Have `_writable` tell whether no more than the tail is left; asyncio tells only what it finds out later."""
        left = self._transport.get_write_buffer_size()
        self._behind = left > 0
        if not left:
            tail = 0    # a transport that has been closed has thrown away what it had: `_writable` stays as it is
        most = max(tail, 1)
        self._transport.set_write_buffer_limits(high=most, low=tail)
        if left > most:
            self._writable.clear()
        elif left:
            self._writable.set()

    async def drained(self, timeout: float) -> None:  # noqa: ASYNC109 - a protocol's limit, not a caller's
        """Wait until what was written is out. Raises `ConnectionError`, `TimeoutError`."""
        self._send()
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
        if not self.enough(count):
            await self.coming(count, timeout)
        return self.taken(count)

    # The three of which that is made, for who saves a coroutine: four replies come for each mail.

    def enough(self, count: int) -> bool:
        """Whether there are so many replies, or a refusal, or the wire has failed: then nothing is to be waited for."""
        return len(self._replies) >= count or self._refusals > 0 or self._error is not None

    def coming(self, count: int, limit: float) -> asyncio.Future[None]:
        """Done when there is `enough`, or a reply has not come for `limit` seconds. To be awaited at once."""
        self._wanted, self._limit = count, limit
        self._put_off()
        if self._timer is None or self._rings > self._due:
            self._stop()
            self._ring()
        self._waiter = self._loop.create_future()
        return self._waiter

    def taken(self, count: int) -> list[Reply]:
        """What `replies` returns, or raises, when there is `enough`."""
        waiting = self._replies
        if not waiting:
            raise cast("Exception", self._error)
        if not self._refusals and len(waiting) >= count:
            return [waiting.popleft() for _ in range(count)]
        taken: list[Reply] = []
        while waiting and len(taken) < count:
            taken.append(reply := waiting.popleft())
            if reply.code >= _REFUSAL:
                self._refusals -= 1
                break
        return taken

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
        self._held = b""
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go; they are taken from there at once."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Match what the server says to what it was asked."""
        before = len(self._replies)
        for reply in self._reader.read(self._room[:nbytes].tobytes()):
            if self._error is None:
                self._replied(reply)
        if self._reader.broken:
            self._fail(MalformedReply(self._reader.broken))
        if len(self._replies) > before and self._waiter and not self._waiter.done():
            if self.enough(self._wanted):
                self._waiter.set_result(None)
            else:
                self._put_off()  # each reply has the whole limit

    def _replied(self, reply: Reply) -> None:
        self._expected -= 1
        if self._expected < 0:
            self._expected, self.unasked = 0, reply
            self._fail(MalformedReply(f"spoke unasked: {reply.code}"))
        else:
            self._replies.append(reply)
            self._refusals += reply.code >= _REFUSAL

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits; a reply that came before the end is still handed out."""
        self._fail(ConnectionError(f"connection lost: {exc}" if exc else "closed by the server"))

    def pause_writing(self) -> None:
        """The server reads slower than we write."""
        self._behind = True
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error, self.unsent = error, bool(self._held) or not self._writable.is_set()
            self._held = b""
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
