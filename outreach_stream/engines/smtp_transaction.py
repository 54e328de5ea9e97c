"""One message over one connection: MAIL, RCPT, DATA, the message, and the answer to its final dot."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure, Outcome, Refusal, Transient, masked
from outreach_stream.engines.smtp_config import SmtpTimeouts
from outreach_stream.engines.smtp_errors import failure
from outreach_stream.engines.smtp_replies import Phase, Reply, classify
from outreach_stream.engines.smtp_session import Session, crlf

_CHUNK = 65_536
"""Bytes written at once: with the last of them goes the final dot. The server has `timeouts.command` to take each of
those before, so that one that reads ever more slowly does not hold a place for ever."""
_START_INPUT = 354
_LAST_WORDS = frozenset({421, 503})
"""A connection is not used after these: the server closes it (RFC 5321 section 3.8), or is out of step."""
_YOUNG = 1.0
"""Seconds for which a new connection is not believed to be stale."""


def wire_form(content: bytes) -> bytes:
    """`content` as it goes after 354: CRLF line ends only, dots stuffed (RFC 5321 section 4.5.2), the final dot."""
    return (b"\r\n" + crlf(content)).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


class SmtpConnection:
    """Sessions one after the other, mostly one. `reusable` tells whether another message may follow."""

    def __init__(self, session: Session, reopen: Callable[[], Awaitable[Session | Refusal]],
                 timeouts: SmtpTimeouts) -> None:
        self.handed_over = False
        self.idle_since = 0.0
        self._reopen = reopen
        self._timeouts = timeouts
        self._adopt(session)

    def _adopt(self, session: Session) -> None:
        self.wire, self.abilities = session.wire, session.abilities
        self._session = session
        self.messages = 0
        self._opened = asyncio.get_running_loop().time()
        self._phase = Phase.MAIL
        self._replies = 0
        self._stale = self._in_transaction = self._needs_reset = self._closing = False

    @property
    def reusable(self) -> bool:
        """Whether the server is in step, ready for another MAIL, and has not said that it closes."""
        return self.wire.usable and not self._in_transaction and not self._closing

    async def hand_over(self, message: OutgoingMessage) -> Outcome:
        """See `outreach_stream.domain.ports.Connection`.

        A server may close a connection at any time between two messages, and we learn of it only when we write. Such a
        stale connection has taken nothing of the message: it is replaced, once, within the same attempt.
        """
        self.handed_over = False
        outcome = await self._attempt(message)
        if not self._stale:
            return outcome
        self.wire.abort()
        fresh = await self._reopen()
        if not isinstance(fresh, Session):
            return fresh
        self._adopt(fresh)
        return await self._attempt(message)

    def abort(self) -> None:
        """Hang up."""
        self.wire.abort()

    async def goodbye(self, limit: float) -> None:
        """Say QUIT and close, within `limit` seconds. Raises nothing."""
        await self.wire.quit(limit)

    async def _attempt(self, message: OutgoingMessage) -> Outcome:
        content = self._session.content(message)
        if refusal := self.abilities.refusal(message, content):
            return refusal
        old = self.messages > 0 or asyncio.get_running_loop().time() - self._opened > _YOUNG
        self._in_transaction = True  # stays so when cancelled: then nothing may follow on this connection
        self.messages += 1
        self._replies = 0
        try:
            outcome = await self._transact(message, content)
        except OSError as error:  # all that a wire raises: ConnectionError, TimeoutError
            self._stale = old and not self._replies and isinstance(error, ConnectionError)
            return self._failed(error, message)
        self._stale = old and self._replies == 1 and self._closing and isinstance(outcome, Transient)
        self._in_transaction = False
        self._needs_reset = not isinstance(outcome, Accepted)
        return outcome

    def _failed(self, error: OSError, message: OutgoingMessage) -> Outcome:
        if self._phase is Phase.DOT and self.wire.unsent:
            # The dot was written to a buffer that was thrown away: no server has seen it.
            self._phase, self.handed_over = Phase.DATA, False
        if self._phase is Phase.DATA and self.wire.unasked:  # it has read enough: too large, too fast, it closes
            return self._classify(Phase.DATA, self.wire.unasked, message)
        return failure(self._phase, error)

    async def _reply(self, limit: float) -> Reply:
        reply = await self.wire.reply(limit)
        self._replies += 1
        return reply

    async def _transact(self, message: OutgoingMessage, content: bytes) -> Outcome:
        mail, rcpt = self.abilities.envelope(message, content)
        commands = [(Phase.MAIL, mail), (Phase.RCPT, rcpt), (Phase.DATA, b"DATA\r\n")]
        if self._needs_reset:
            # Only after a refusal: a 250 to the dot has cleared everything (RFC 5321 section 4.1.1.4), and some
            # servers count RSETs as errors.
            commands.insert(0, (Phase.RSET, b"RSET\r\n"))
        if self.abilities.pipelining:
            self.wire.write(b"".join(command for _, command in commands), expect=len(commands))
        for place, (phase, command) in enumerate(commands, start=1):
            self._phase = phase
            if not self.abilities.pipelining:
                self.wire.write(command, expect=1)
            reply = await self._reply(self._timeouts.command)
            if not _expected(phase, reply):
                outstanding = len(commands) - place if self.abilities.pipelining else 0
                return await self._refused(phase, reply, outstanding, message)
        return await self._deliver(message, content)

    async def _refused(self, phase: Phase, reply: Reply, outstanding: int, message: OutgoingMessage) -> Outcome:
        """The outcome of a refused command, after the replies to those already sent with it have been read."""
        outcome = self._classify(phase, reply, message)
        try:
            for _ in range(outstanding if not self._closing else 0):
                if (await self._reply(self._timeouts.command)).code == _START_INPUT:
                    # RFC 2920 section 3.1 allows 354 here. Hanging up delivers nothing, whatever it thinks it has.
                    self._closing = True
        except OSError:
            self._closing = True
        return outcome

    async def _deliver(self, message: OutgoingMessage, content: bytes) -> Outcome:
        data = wire_form(content)
        for start in range(0, len(data), _CHUNK):
            if start + _CHUNK >= len(data):
                self._phase, self.handed_over = Phase.DOT, True
            self.wire.write(data[start: start + _CHUNK], expect=int(self.handed_over))
            if not self.handed_over:
                await self.wire.drained(self._timeouts.command)
        return self._classify(Phase.DOT, await self._reply(self._timeouts.data), message)

    def _classify(self, phase: Phase, reply: Reply, message: OutgoingMessage) -> Outcome:
        outcome = classify(phase, reply.code, reply.enhanced, reply.text)
        if isinstance(outcome, Failure):
            # Some servers say "no such user joe": an address in all but form.
            local_part = message.recipient.rpartition("@")[0]
            outcome = replace(outcome, detail=masked(outcome.detail, local_part))
        out_of_step = reply.code < 400 and not isinstance(outcome, Accepted)  # noqa: PLR2004
        if out_of_step or reply.code in _LAST_WORDS:
            self._closing = True
        return outcome


def _expected(phase: Phase, reply: Reply) -> bool:
    return reply.code == _START_INPUT if phase is Phase.DATA else reply.code // 100 == 2  # noqa: PLR2004
