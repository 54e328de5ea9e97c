"""What follows an attempt: again, or an end. Pure decisions; the rules stand in the outcomes' own attributes."""

from collections.abc import Callable
from dataclasses import dataclass

from outreach_stream.domain.outcomes import Accepted, InDoubt, Outcome, Throttled
from outreach_stream.domain.states import RecipientStatus

IN_PLACE_SECONDS = 1.0
"""Backoff in all that a recipient is given while it holds its place in the lane."""
IN_PLACE_ATTEMPTS = 5
FIRST_BACKOFF = 0.1
"""Seconds; doubles with each attempt, of which a random part is waited (full jitter)."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same recipient again."""

    delay: float
    """Seconds to wait first."""
    doubted: bool = False
    """It may have been sent: that must be durable before the next attempt."""


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more is tried."""

    status: RecipientStatus
    reason: str | None = None


type Step = Again | End


def backoff(attempts: int, random: Callable[[], float]) -> float:
    """Seconds before the next attempt after so many: exponential with full jitter."""
    return FIRST_BACKOFF * 2.0 ** (attempts - 1) * random()


def reason_of(outcome: Outcome) -> str | None:
    """Why an attempt failed, in one line without an address."""
    if isinstance(outcome, Accepted):
        return None
    return f"{outcome.reason}: {outcome.detail}" if outcome.detail else outcome.reason


def unsent(status: RecipientStatus, reason: str, *, doubted: bool) -> End:
    """The end of a recipient that is not mailed (again). One that may have been mailed before ends in doubt."""
    return End(RecipientStatus.IN_DOUBT if doubted else status, reason)


def after(outcome: Outcome, *, attempts: int, waited: float, expired: bool, doubted: bool, resend: bool,
          random: Callable[[], float]) -> Step:
    """The step after an attempt.

    `attempts` made so far, throttled ones too, with `waited` seconds of backoff between them (a token's wait does not
    count: a slow engine's recipients would get no second attempt); `expired`: the deadline has passed; `doubted`: an
    earlier one may have been sent; `resend`: the policy for what is in doubt is to mail it again, labelled, and not
    to hold it.
    """
    if isinstance(outcome, Accepted):
        return End(RecipientStatus.SENT)
    if isinstance(outcome, InDoubt):
        if resend and attempts < IN_PLACE_ATTEMPTS:
            return Again(backoff(attempts, random), doubted=True)
        return End(RecipientStatus.IN_DOUBT, reason_of(outcome))
    if outcome.retriable and not expired and attempts < IN_PLACE_ATTEMPTS:
        throttled = isinstance(outcome, Throttled)  # the engine pauses, with everybody: no reason to give this one up
        delay = 0.0 if throttled else backoff(attempts, random)
        if throttled or waited + delay <= IN_PLACE_SECONDS:
            return Again(delay)
    status = RecipientStatus.EXPIRED if outcome.retriable and expired else RecipientStatus.FAILED
    return unsent(status, reason_of(outcome) or "failed", doubted=doubted)
