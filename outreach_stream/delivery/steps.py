"""What follows an attempt: again, later, or an end. Pure decisions; the rules stand in the outcomes' own attributes."""

from collections.abc import Callable
from dataclasses import dataclass

from outreach_stream.delivery.backoff import later
from outreach_stream.delivery.item import History
from outreach_stream.domain.outcomes import Accepted, InDoubt, Outcome, Throttled
from outreach_stream.domain.policy import Retry
from outreach_stream.domain.states import RecipientStatus

IN_PLACE_SECONDS = 1.0
"""Backoff in all that a recipient is given while it holds its place in the lane."""
IN_PLACE_TRIES = 3
"""Attempts in one holding; what still fails then, or is told to be slower, is put off."""
MOST_RESENT = 3
"""Attempts at a recipient of whom each may have arrived: a server that never answers must not fill a mailbox."""
FIRST_BACKOFF = 0.1
"""Seconds; doubles with each attempt, of which a random part is waited (full jitter)."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same recipient again, in place."""

    delay: float
    """Seconds to wait first."""
    doubted: bool = False
    """It may have been sent: that must be durable before the next attempt."""


@dataclass(frozen=True, slots=True)
class Later:
    """Put it off."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The engine takes nothing any more: its recipients are decided on anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more is tried."""

    status: RecipientStatus
    reason: str | None = None


type Step = Again | Later | Stop | End


@dataclass(frozen=True, slots=True)
class SoFar:
    """What was done for a recipient, the attempt just made among it."""

    history: History
    """With this holding's attempts."""
    tries: int
    """Attempts of this holding, throttled ones too."""
    waited: float
    """Seconds of backoff in this holding."""
    now: float
    expired: bool = False
    doubted: bool = False
    """An earlier attempt may have been sent."""


def backoff(tries: int, random: Callable[[], float]) -> float:
    """Seconds before the next attempt in place after so many: exponential with full jitter."""
    return FIRST_BACKOFF * 2.0 ** (tries - 1) * random()


def reason_of(outcome: Outcome) -> str:
    """Why an attempt failed, in one line without an address."""
    if isinstance(outcome, Accepted):
        return ""
    return (f"{outcome.reason}: {outcome.detail}" if outcome.detail else outcome.reason) or "failed"


def unsent(status: RecipientStatus, reason: str, *, doubted: bool) -> End:
    """The end of a recipient that is not mailed (again). One that may have been mailed before ends in doubt."""
    return End(RecipientStatus.IN_DOUBT if doubted else status, reason)


def after(outcome: Outcome, so_far: SoFar, retry: Retry, *, resend: bool, random: Callable[[], float]) -> Step:
    """The step after an attempt. `resend`: what is in doubt is mailed again, labelled, and not held."""
    if isinstance(outcome, Accepted):
        return End(RecipientStatus.SENT)
    if isinstance(outcome, InDoubt):
        if resend and not so_far.expired and so_far.history.attempts < min(MOST_RESENT, retry.attempts):
            return Again(backoff(so_far.tries, random), doubted=True)
        return End(RecipientStatus.IN_DOUBT, reason_of(outcome))
    if outcome.fuse == "tripped":
        return Stop(reason_of(outcome))
    if outcome.retriable and not so_far.expired and (step := _again(outcome, so_far, retry, random)):
        return step
    status = RecipientStatus.EXPIRED if outcome.retriable and so_far.expired else RecipientStatus.FAILED
    return unsent(status, reason_of(outcome), doubted=so_far.doubted)


def _again(outcome: Outcome, so_far: SoFar, retry: Retry, random: Callable[[], float]) -> Step | None:
    """How it is tried again; None: attempts or time are used up."""
    rounds, attempts, since = so_far.history
    throttled = isinstance(outcome, Throttled)  # the engine pauses, with everybody: no reason to give this one up
    if not throttled and attempts >= retry.attempts:
        return None
    if so_far.tries < IN_PLACE_TRIES:
        if throttled:
            return Again(0.0)
        delay = backoff(so_far.tries, random)
        if rounds == 0 and so_far.waited + delay <= IN_PLACE_SECONDS:
            return Again(delay)
    begun = so_far.now if since is None else since
    # The backoff doubles with each round: attempts in place do not use it up.
    put_off = later(retry, attempts=min(rounds + 1, retry.attempts - 1), since=begun, now=so_far.now, random=random)
    return None if put_off is None else Later(put_off, reason_of(outcome))
