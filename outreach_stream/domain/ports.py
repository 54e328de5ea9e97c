"""The world as the decisions see it: protocols that belong to their user, with obligations."""

from collections.abc import Awaitable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Outcome, Refusal
from outreach_stream.domain.policy import Policy


class Connection(Protocol):
    """One prepared, exclusive way to hand over message after message: connected, greeted, authenticated."""

    @property
    def handed_over(self) -> bool:
        """Whether the message of the running (or the last) `hand_over` may have reached the provider.

        It is what a caller asks after cancelling a `hand_over`: False, and nothing was accepted; True, and
        the attempt is in doubt, unless an outcome was returned.
        """

    @property
    def reusable(self) -> bool:
        """Whether it stands, so far as is known, and a (further) message may go over it. Does not wait."""

    async def hand_over(self, message: OutgoingMessage) -> Outcome:
        """Make one attempt and say what came of it.

        Writes its first byte before it first awaits, so that a check made just before the call still holds.
        Waits for nothing but the provider's answer, for a limited time; never retries. Raises nothing for
        what a provider or a network can do; `CancelledError` passes through and leaves the connection fit
        only for `Engine.release`, which discards it. One call at a time. It may once replace a connection that the
        provider had closed before it took anything of the message.
        """


class Chain(Protocol):
    """Messages that follow one another over one connection."""

    def next(self) -> OutgoingMessage | None:
        """The next message that may go now (its token is taken); None: none is at hand. Must not wait.

        Its first command is written at once, or right after the body of the one before it; its body only after `go`.
        """

    def go(self) -> bool:
        """Asked right before the body of the message that was begun last is written; must not wait.

        From True on it may have been sent. False: it is not to go any more. That ends the chain, since the provider
        waits for the body, and can only be hung up on.
        """

    def ended(self, outcome: Outcome) -> None:
        """What came of the oldest message that has not ended; called in order, once for each that `next` gave.

        Must not wait. After a `go` that was False it is a `Transient`.
        """


class ChainingConnection(Connection, Protocol):
    """A connection on which one message can be begun before the one before it is answered."""

    async def hand_over_all(self, chain: Chain) -> None:
        """Make one attempt at each message that `chain` gives, until it gives none or no more may follow here.

        Each gets the outcome that `hand_over` would give it, and `reusable` says the same afterwards. Nothing is asked
        of the chain while the provider's answers show trouble, except for the next one when all others have ended.

        When it is cancelled, or raises what is a bug, at most two messages have not `ended`. The older is that of
        which `handed_over` tells: False, and nothing of it was accepted; True, and it is in doubt. Of the younger the
        body was not written, so that it cannot have been accepted; `go` was not asked for it.
        """


class Engine(Protocol):
    """A way to send mail. It makes single attempts; pace, retries and the fuse are its caller's."""

    @property
    def rate(self) -> float | None:
        """Mails per second that the provider allows the account in all; None: it does not say, or not yet.

        Known as soon as `acquire` has returned a connection. Its user keeps to it where the catalog gives no rate.
        """

    async def acquire(self) -> Connection | Refusal:
        """A connection for the caller alone, or why there is none (never `InDoubt`: nothing was handed over).

        Waits while all connections are in use, and while a new one is made, the latter for a limited time.
        Makes one attempt to connect. Raises nothing but `CancelledError`.
        """

    def release(self, connection: Connection) -> None:
        """Take back what `acquire` gave: once for each, in whatever state it is. Does not block or raise.

        The engine decides whether it is used again or closed, and closes it in the background.
        """

    async def close(self) -> None:
        """Close all connections politely but briefly (seconds). A later `acquire` gets a `Transient`."""


class Finding(NamedTuple):
    """One line of an engine's preflight."""

    step: Literal["settings", "dns", "connect", "tls", "login", "quota", "sender", "mail"]
    good: bool | None
    """None: neither good nor bad, or not to be found out here; `text` says why."""
    text: str
    """What was found and, if it is bad, what to do. Holds no secret; may name the catalog's own addresses."""


class Unrenderable(Exception):  # noqa: N818 - it says what the mail is
    """A recipient's mail cannot be made; says which template, part and variable, and nothing of the recipient."""


class Composer(Protocol):
    """Makes the mails of one frozen workflow."""

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        """The request's mail, dated `now` (seconds since the epoch). Pure; raises `Unrenderable` only."""

    def compose_all(self, requests: Sequence[SendRequested], now: float) -> list[OutgoingMessage | Unrenderable]:
        """The mails of several requests, in their order, dated `now`.

        What cannot be made is in its place the `Unrenderable` that says why. Pure; raises nothing of what `compose`
        raises. What else it may raise, by a mistake of ours, concerns all of them: then compose them one by one.
        """


class Brief(NamedTuple):
    """What a sender needs to know of a frozen workflow."""

    composer: Composer
    policy: Policy


class SpecAway(LookupError):  # noqa: N818 - named as it is said
    """A frozen workflow has not come into view in time: its requests are put off."""


class Ledgered(Protocol):
    """A batch of records of one partition as its user sees it: `streaming.Batch` is one."""

    @property
    def live(self) -> bool:
        """False: the partition has left; nothing done with the batch has any effect."""

    async def claim(self, i: int) -> bool:
        """Mark record `i` as in work; waits for a stale lease; False: the partition is leaving."""

    def claim_nowait(self, i: int) -> bool:
        """As `claim`, without waiting; False: not now."""

    async def owned(self) -> bool:
        """Whether an outcome may still be written; waits for a stale lease."""

    def done(self, i: int) -> None:
        """Record `i` is finished, its effects are durable."""

    def release(self, i: int) -> None:
        """Give record `i` back; it is delivered again."""


class Copies(Protocol):
    """A durable table whose values are written per writer and read as the copies of all: `streaming.MergedTable`."""

    @property
    def writer(self) -> bytes:
        """The name under which our process writes."""

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        """All writers' values of a key: `(writer, value)`."""

    def scan(self, partition: int, prefix: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
        """`(key, writer, value)` of all copies of the keys that begin with `prefix`; copies of a key together."""

    def write(self, partition: int, key: bytes, value: bytes) -> Awaitable[object]:
        """Write this process's copy; durable when awaited."""

    def delete(self, partition: int, key: bytes, writer: bytes) -> Awaitable[object]:
        """Remove one writer's copy; durable when awaited."""
