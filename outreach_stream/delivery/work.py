"""What an engine's attempts in this process came to, in plain numbers: somebody else makes metrics of them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.domain.spread import INSTANTS, Spread

KINDS: dict[type[Outcome], str] = {
    Accepted: "accepted", Transient: "transient", Throttled: "throttled", RecipientRejected: "recipient_rejected",
    MessageRejected: "message_rejected", SenderBlocked: "sender_blocked", EngineStopped: "engine_stopped",
    InDoubt: "in_doubt"}
"""What came of a hand-over, in a word."""

type Kind = Literal["in_place", "later"]


@dataclass(slots=True)
class Work:
    """Counted since the process began, over all assignments."""

    attempts: Counter[type[Outcome]] = field(default_factory=Counter)
    """Hand-overs by what came of them."""
    retries: Counter[Kind] = field(default_factory=Counter)
    """Recipients that are to be tried again."""
    hand_over: Spread = field(default_factory=Spread)
    """Seconds until the provider had answered."""
    rendering: Spread = field(default_factory=lambda: Spread(INSTANTS))
    """Seconds to render a mail."""

    def handed_over(self, outcome: Outcome, seconds: float) -> None:
        """An attempt was made."""
        self.attempts[type(outcome)] += 1
        self.hand_over.note(seconds)


@dataclass(frozen=True, slots=True)
class Ends:
    """What has become of recipients, by engine; counted when it is durable."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By engine and status, or `recovered`: an end that was only said again."""
    moved: Counter[str] = field(default_factory=Counter)
    """Handed on to another engine."""
