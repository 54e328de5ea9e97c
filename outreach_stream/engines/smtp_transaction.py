"""Messages over one connection: MAIL, RCPT, DATA, the message, and the answer to its final dot.

With PIPELINING the commands of one message go in one write, and where the next message is at hand, they go in one write
with the body of the one before: RFC 2920 section 3.1 lets a group of commands begin with a body.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure, Outcome, Refusal, Transient, masked
from outreach_stream.domain.ports import Chain
from outreach_stream.engines.smtp_config import SmtpTimeouts
from outreach_stream.engines.smtp_errors import failure
from outreach_stream.engines.smtp_mail import Alone, Mail, wire_form
from outreach_stream.engines.smtp_replies import Phase, Reply, accepted, classify
from outreach_stream.engines.smtp_session import Session

_CHUNK = 65_536
"""Bytes written at once: with the last of them goes the final dot. The server has `timeouts.command` to take each of
those before, so that one that reads ever more slowly does not hold a place for ever."""
_START_INPUT = 354
_LAST_WORDS = frozenset({421, 503})
"""A connection is not used after these: the server closes it (RFC 5321 section 3.8), or is out of step."""
_YOUNG = 1.0
"""Seconds for which a new connection is not believed to be stale."""


class SmtpConnection:
    """Sessions one after the other, mostly one. `reusable` tells whether another message may follow."""

    def __init__(self, session: Session, reopen: Callable[[], Awaitable[Session | Refusal]],
                 timeouts: SmtpTimeouts, max_messages: int) -> None:
        self.handed_over = False
        self.idle_since = 0.0
        self._reopen = reopen
        self._timeouts = timeouts
        self._max_messages = max_messages
        self._adopt(session)

    def _adopt(self, session: Session) -> None:
        self.wire, self.abilities = session.wire, session.abilities
        self._session = session
        self.messages = 0
        self._opened = asyncio.get_running_loop().time()
        self._follower: Mail | None = None
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
        alone = Alone(message)
        await self.hand_over_all(alone)
        return alone.outcome

    async def hand_over_all(self, chain: Chain) -> None:
        """See `outreach_stream.domain.ports.ChainingConnection`.

        A message that was begun when the one before it was answered with the end of the connection (421) goes over a
        fresh one, as over a stale one. One that was begun when the connection was lost before that answer has failed.
        """
        self.handed_over, self._follower = False, None
        message = chain.next()
        mail = Mail.over(self._session, message) if message else None
        while mail:
            self._stale = mail.begun and self._closing
            outcome = None if self._stale else await self._attempt(mail, chain)
            if outcome is None or self._stale:
                outcome = await self._afresh(mail, chain)
            mail, self._follower = self._follower, None
            chain.ended(outcome)
            if mail:
                self.handed_over = False
            elif self.reusable and self.messages < self._max_messages and (message := chain.next()):
                self.handed_over = False
                mail = Mail.over(self._session, message)

    def abort(self) -> None:
        """Hang up."""
        self.wire.abort()

    async def goodbye(self, limit: float) -> None:
        """Say QUIT and close, within `limit` seconds. Raises nothing."""
        await self.wire.quit(limit)

    async def _afresh(self, mail: Mail, chain: Chain) -> Outcome:
        """What comes of `mail` over a session of its own, this one being stale."""
        self.wire.abort()
        fresh = await self._reopen()
        if not isinstance(fresh, Session):
            return fresh
        self._adopt(fresh)
        return await self._attempt(Mail.over(fresh, mail.message), chain)

    async def _attempt(self, mail: Mail, chain: Chain) -> Outcome:
        """What came of `mail`; leaves in `_follower` the message that was taken on meanwhile."""
        if mail.refusal:
            return mail.refusal
        try:
            if not mail.begun:
                self._begin(mail)
                if self.abilities.pipelining:
                    self.wire.write(b"".join(mail.commands), expect=len(mail.commands))
            outcome = await self._asked(mail) or await self._deliver(mail, chain)
        except OSError as error:  # all that a wire raises: ConnectionError, TimeoutError
            self._stale = mail.old and not mail.replies and isinstance(error, ConnectionError)
            if self._follower:
                self._follower.old = False
            return self._failed(error, mail)
        self._stale = mail.old and mail.replies == 1 and self._closing and isinstance(outcome, Transient)
        self._in_transaction = self._follower is not None and self._follower.begun
        self._needs_reset = not isinstance(outcome, Accepted)
        return outcome

    def _begin(self, mail: Mail) -> None:
        old = self.messages > 0 or asyncio.get_running_loop().time() - self._opened > _YOUNG
        mail.begin(self._session, reset=self._needs_reset, old=old)
        self._in_transaction = True  # stays so when cancelled: then nothing may follow on this connection
        self.messages += 1

    def _failed(self, error: OSError, mail: Mail) -> Outcome:
        if mail.phase is Phase.DOT and self.wire.unsent:
            # The dot was written to a buffer that was thrown away: no server has seen it.
            mail.phase, self.handed_over = Phase.DATA, False
        if mail.phase is Phase.DATA and self.wire.unasked:  # it has read enough: too large, too fast, it closes
            return self._classify(Phase.DATA, self.wire.unasked, mail)
        return failure(mail.phase, error)

    async def _asked(self, mail: Mail) -> Outcome | None:
        """None: the server waits for the body. With PIPELINING all has been asked already."""
        wire, phases, pipelining = self.wire, mail.phases, self.abilities.pipelining
        asked, every = 0, len(phases)
        while asked < every:
            mail.phase = phases[asked]
            if not pipelining:
                wire.write(mail.commands[asked], expect=1)
            count = every - asked if pipelining else 1
            if not wire.enough(count):
                await wire.coming(count, self._timeouts.command)
            for reply in wire.taken(count):
                mail.phase = phase = phases[asked]
                mail.replies += 1
                asked += 1
                if reply.code != _START_INPUT if phase is Phase.DATA else reply.code // 100 != 2:  # noqa: PLR2004
                    return await self._refused(reply, every - asked if pipelining else 0, mail)
        return None

    async def _refused(self, reply: Reply, outstanding: int, mail: Mail) -> Outcome:
        """The outcome of a refused command, after the replies to those already sent with it have been read."""
        outcome = self._classify(mail.phase, reply, mail)
        try:
            for _ in range(outstanding if not self._closing else 0):
                reply = await self.wire.reply(self._timeouts.command)
                mail.replies += 1
                if reply.code == _START_INPUT:
                    # RFC 2920 section 3.1 allows 354 here. Hanging up delivers nothing, whatever it thinks it has.
                    self._closing = True
        except OSError:
            self._closing = True
        return outcome

    async def _deliver(self, mail: Mail, chain: Chain) -> Outcome:
        if not chain.go():
            self._closing = True
            self.wire.abort()
            return Transient("withheld", "it was not to go any more")
        wire, data = self.wire, wire_form(mail.content, tidy=mail.tidy)
        last = (len(data) - 1) // _CHUNK * _CHUNK
        for start in range(0, last, _CHUNK):
            wire.write(data[start: start + _CHUNK])
            await wire.drained(self._timeouts.command)
        following = b"" if last else self._follow(chain)
        mail.phase, self.handed_over = Phase.DOT, True
        if following and self._follower:
            wire.write(data + following, expect=1 + len(self._follower.commands), tail=len(following))
        else:
            wire.write(data[last:] if last else data, expect=1)
        if not wire.enough(1):
            await wire.coming(1, self._timeouts.data)
        reply, = wire.taken(1)
        return accepted(reply.text) if reply.code // 100 == 2 else self._classify(Phase.DOT, reply, mail)  # noqa: PLR2004

    def _follow(self, chain: Chain) -> bytes:
        """Take the next message on if it may be begun before this one is answered; its commands, to go with the body.

        None is after trouble: a server that has just refused something is asked one thing after the other until it
        has taken a message again.
        """
        if self._needs_reset or not (self.abilities.pipelining and self.wire.usable) \
                or self.messages >= self._max_messages or (message := chain.next()) is None:
            return b""
        self._follower = Mail.over(self._session, message)
        if self._follower.refusal:
            return b""
        self._begin(self._follower)
        return b"".join(self._follower.commands)

    def _classify(self, phase: Phase, reply: Reply, mail: Mail) -> Outcome:
        outcome = classify(phase, reply.code, reply.enhanced, reply.text)
        if isinstance(outcome, Failure):
            # Some servers say "no such user joe": an address in all but form.
            local_part = mail.message.recipient.rpartition("@")[0]
            outcome = replace(outcome, detail=masked(outcome.detail, local_part))
        out_of_step = reply.code < 400 and not isinstance(outcome, Accepted)  # noqa: PLR2004
        if out_of_step or reply.code in _LAST_WORDS:
            self._closing = True
        return outcome
