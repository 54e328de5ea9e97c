"""Where a request stands before an attempt: may it go, is it at an end, or does it wait or move. Pure decisions."""

from dataclasses import dataclass

from outreach_stream.delivery.steps import End, unsent
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.domain.unsubscribing import UNSUBSCRIBED

DIED = "a worker died while this mail was on its way"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the lane knows of a recipient."""

    end: RecipientStatus | None = None
    doubted: bool = False
    """It may have been sent before."""
    lost: bool = False
    """A process of this run died, or was cut off, with the mail on its way: where that is held, nobody mails it."""
    moved: bool = False
    """It was handed on to another engine: this one must not send it any more."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is ordered about its run, and how its engine is, now."""

    now: float
    cancelled: bool = False
    paused: bool = False
    stopped: str | None = None
    """Why the engine takes nothing; None: it does."""
    unsubscribed: bool = False
    """The recipient has left the workflow's list."""


@dataclass(frozen=True, slots=True)
class Known:
    """It is at its end already: to be said again, and not sent."""

    status: RecipientStatus
    reason: str | None = None
    """Why it was skipped; of other ends the record does not say why."""


@dataclass(frozen=True, slots=True)
class Park:
    """It waits until something changes; its deadline goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """It is the next engine's."""

    route: Route


@dataclass(frozen=True, slots=True)
class Go:
    """It may be attempted."""


type Standing = Known | End | Park | Move | Go


def standing(request: SendRequested, facts: Facts, policy: Policy, around: Surroundings, *, express: bool) -> Standing:
    """What is to be done with a request now."""
    return (_known(request, facts, policy) or _over(request, facts, around)
            or _held(request, facts, policy, around, express=express) or Go())


def _known(request: SendRequested, facts: Facts, policy: Policy) -> Standing | None:
    """What stands, whatever is ordered."""
    if facts.end is not None:
        skipped = facts.end is RecipientStatus.SKIPPED
        return Known(facts.end, (request.skip or UNSUBSCRIBED) if skipped else None)
    if request.skip is not None:
        return unsent(RecipientStatus.SKIPPED, request.skip, doubted=facts.doubted)
    route = policy.after(request.engine) if facts.moved else None
    return Move(route) if route else None


def _over(request: SendRequested, facts: Facts, around: Surroundings) -> Standing | None:
    """Its run is over, or it wants no mail of it."""
    if around.cancelled:
        return unsent(RecipientStatus.CANCELLED, "cancelled", doubted=facts.doubted)
    if request.deadline <= around.now:
        return unsent(RecipientStatus.EXPIRED, "deadline", doubted=facts.doubted)
    if around.unsubscribed:
        return unsent(RecipientStatus.SKIPPED, UNSUBSCRIBED, doubted=facts.doubted)
    return None


def _held(request: SendRequested, facts: Facts, policy: Policy, around: Surroundings, *,
          express: bool) -> Standing | None:
    """Something is in its way."""
    if facts.lost and not policy.resends(express=express):
        return End(RecipientStatus.IN_DOUBT, DIED)
    if around.paused:
        return Park("its run is paused")
    return None if around.stopped is None else _without_engine(request, facts, policy, around.stopped)


def _without_engine(request: SendRequested, facts: Facts, policy: Policy, reason: str) -> Standing:
    """Its engine has stopped. What may have been sent there never goes to another one."""
    if policy.on_engine_stopped == "fail":
        return unsent(RecipientStatus.FAILED, f"its engine has stopped: {reason}", doubted=facts.doubted)
    route = policy.after(request.engine)
    if policy.on_engine_stopped == "failover" and route and not facts.doubted:
        return Move(route)
    return Park(f"its engine has stopped: {reason}")
