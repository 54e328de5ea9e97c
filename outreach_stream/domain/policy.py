"""What a workflow wants done when a mail does not simply go out. Frozen with the run."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

WhenInDoubt = Literal["resend", "hold"]
WhenStopped = Literal["wait", "fail", "failover"]


class Route(NamedTuple):
    """An engine that may send the workflow's mails, and its lanes as they were at admission."""

    engine: str
    lanes: list[int]


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a recipient is tried again after passing refusals. Times in seconds."""

    attempts: int = 16
    """Attempts in all; one that was throttled, or found its engine stopped, does not count."""
    within: float = 12 * 3_600
    """After the first attempt; the run's deadline may come first."""
    first: float = 30.0
    """Backoff after the first second, in which up to three attempts are made; doubled after each, with full jitter."""
    longest: float = 3_600.0
    """The longest backoff."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it."""

    retry: Retry = Retry()
    in_doubt: WhenInDoubt | None = None
    """None: bulk is mailed again and labelled, express is held."""
    on_engine_stopped: WhenStopped = "wait"
    routes: list[Route] = field(default_factory=list)
    """The workflow's engines in their order."""
    unsubscribe: str | None = None
    """The list by which recipients leave; whoever has left is not mailed."""

    def resends(self, *, express: bool) -> bool:
        """Whether a mail that may have been sent is mailed again, labelled; else it is held for a person."""
        return self.in_doubt == "resend" or (self.in_doubt is None and not express)

    def after(self, engine: str) -> Route | None:
        """Where a recipient goes from an engine that has stopped; None: there is no further one.

        Always the next in the list, whether that works or not (it hands on in its turn): a recipient that is moved
        again after a crash meets the same lane.
        """
        engines = [route.engine for route in self.routes]
        at = engines.index(engine) + 1 if engine in engines else len(engines)
        return self.routes[at] if at < len(engines) else None
