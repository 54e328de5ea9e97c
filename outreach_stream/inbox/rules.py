"""How the inbox behaves towards a recipient.

The local part of the address tells, so that a test or a demo chooses by choosing whom it writes to. What is said here
is said in SMTP; the stand-ins of HTTP providers do the same in their provider's words (see `inbox.providers`).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Behaviour(StrEnum):
    """What happens to a mail; the name is also the local part that asks for it."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    """550 5.1.1 at RCPT, for good."""
    DEFER = "defer"
    """451 4.3.0 at RCPT, once per recipient; then accepted."""
    GREY = "grey"
    """451 4.7.1 at RCPT until so many seconds after the first try as the name says: `grey-300`, or 1."""
    BUSY = "busy"
    """451 4.3.0 at RCPT, always."""
    THROTTLE = "throttle"
    """451 4.7.1 with a wait of 7 seconds at RCPT, always."""
    BLOCK = "block"
    """554 5.7.1 after the final dot, always."""
    REJECT = "reject"
    """550 5.6.0 after the final dot, always."""
    STOP = "stop"
    """530 5.7.0 at RCPT, always: the account may not send."""
    HUGE = "huge"
    """552 5.3.4 after the final dot, always."""
    EARLY = "early"
    """The same; by HTTP the answer comes before the message was read, and the connection is closed."""
    SHUTDOWN = "shutdown"
    """421 4.3.2 at RCPT, and the connection is closed."""
    SHUTDOWN_DATA = "shutdown-data"
    """The same at DATA."""
    SHUTDOWN_DOT = "shutdown-dot"
    """The same after the final dot: nothing was received."""
    SLOW = "slow"
    """Accepted, but the final dot is answered half a second late."""
    SIP = "sip"
    """Accepted, but the message is read slowly: a pause of a second (`pace`) before each piece."""
    TRICKLE = "trickle"
    """Accepted, but the bytes of the replies from RCPT on come a second (`pace`) apart."""
    DROP = "drop"
    """The connection is closed at RCPT, without an answer: nothing was received."""
    RESET = "reset"
    """The connection is reset (RST) when the message begins to come: nothing was received."""
    DOUBT = "doubt"
    """The mail is received and recorded, and the connection closed without an answer."""
    DOUBT_ONCE = "doubt-once"
    """The same, once per recipient; then accepted."""
    SILENCE = "silence"
    """The mail is received and recorded, and the connection stays open without an answer."""


PASSING = frozenset({Behaviour.DEFER, Behaviour.GREY, Behaviour.DOUBT_ONCE})
"""What a recipient is over with after one time, or some time."""

CLOSING = "421 4.3.2 closing down"
TOO_LARGE = "552 5.3.4 message too large"
THROTTLE_SECONDS = 7.0
"""How long `throttle` recipients ask to wait."""

REPLIES = {
    Behaviour.REFUSE: "550 5.1.1 <{recipient}>: no such mailbox here",
    Behaviour.DEFER: "451 4.3.0 <{recipient}>: busy, come back later",
    Behaviour.BUSY: "451 4.3.0 <{recipient}>: busy, come back later",
    Behaviour.GREY: "451 4.7.1 <{recipient}>: greylisting in action, come back later",
    Behaviour.THROTTLE: f"451 4.7.1 rate limit exceeded, try again in {THROTTLE_SECONDS:.0f} seconds",
    Behaviour.SHUTDOWN: CLOSING,
    Behaviour.STOP: "530 5.7.0 this account may not send",
}
"""What RCPT is answered, where it is not accepted."""

DOT_REPLIES = {
    Behaviour.BLOCK: "554 5.7.1 refused by policy",
    Behaviour.REJECT: "550 5.6.0 this is no mail for us",
    Behaviour.HUGE: TOO_LARGE,
    Behaviour.EARLY: TOO_LARGE,
    Behaviour.SHUTDOWN_DOT: CLOSING,
}
"""What the final dot is answered, where the message is not accepted."""

_NAMED = re.compile(rf"({'|'.join(sorted(Behaviour, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)
_GREY_SECONDS = re.compile(r"grey-(\d+(?:\.\d+)?)", re.IGNORECASE)


class Fate(NamedTuple):
    """What happens to one mail."""

    behaviour: Behaviour
    reply: str | None = None
    """The answer to RCPT; None: the recipient is accepted, or not answered."""
    wait: float | None = None
    """Seconds that the sender is told to wait; None: it is not told."""

    @classmethod
    def of(cls, behaviour: Behaviour, recipient: str) -> "Fate":
        """What `behaviour` means for `recipient`."""
        if behaviour is Behaviour.ACCEPT:
            return ACCEPTED
        reply = REPLIES.get(behaviour)
        wait = THROTTLE_SECONDS if behaviour is Behaviour.THROTTLE else None
        return cls(behaviour, reply and reply.format(recipient=recipient), wait)


ACCEPTED = Fate(Behaviour.ACCEPT)


@dataclass(frozen=True, slots=True)
class Rule:
    """Recipients whose whole address matches `pattern` get `behaviour`."""

    pattern: re.Pattern[str]
    behaviour: Behaviour

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """`behaviour=regular expression`, for example `refuse=.*@nowhere[.]example`; raises `ValueError`."""
        behaviour, mark, pattern = text.partition("=")
        if not mark:
            raise ValueError(f"{text!r} is no rule: write behaviour=pattern")
        return cls(re.compile(pattern, re.IGNORECASE), Behaviour(behaviour))


def behaviour_for(recipient: str, rules: tuple[Rule, ...] = ()) -> Behaviour:
    """The first rule that matches, else what the local part begins with (`refuse`, `refuse-7`, not `refused`)."""
    for rule in rules:
        if rule.pattern.fullmatch(recipient):
            return rule.behaviour
    named = _NAMED.match(recipient)
    return Behaviour(named[1].lower()) if named else Behaviour.ACCEPT


def grey_seconds(recipient: str) -> float:
    """For how long after the first try `recipient` is deferred."""
    told = _GREY_SECONDS.match(recipient)
    return float(told[1]) if told else 1.0
