"""How the inbox behaves towards a recipient.

The local part of the address tells, so that a test or a demo chooses by choosing whom it writes to.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """What happens to a mail; the name is also the local part that asks for it."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    """550 5.1.1 at RCPT, for good."""
    DEFER = "defer"
    """451 4.3.0 at RCPT, once per recipient; then accepted."""
    BUSY = "busy"
    """451 4.3.0 at RCPT, always."""
    THROTTLE = "throttle"
    """451 4.7.1 with a wait of 7 seconds at RCPT, always."""
    BLOCK = "block"
    """554 5.7.1 after the final dot, always."""
    SHUTDOWN = "shutdown"
    """421 4.3.2 at RCPT, and the connection is closed."""
    SLOW = "slow"
    """Accepted, but the final dot is answered half a second late."""
    DROP = "drop"
    """The connection is closed at RCPT, without an answer: nothing was received."""
    DOUBT = "doubt"
    """The mail is received and recorded, and the connection closed without an answer."""
    SILENCE = "silence"
    """The mail is received and recorded, and the connection stays open without an answer."""


REPLIES = {
    Behaviour.REFUSE: "550 5.1.1 <{recipient}>: no such mailbox here",
    Behaviour.DEFER: "451 4.3.0 <{recipient}>: busy, come back later",
    Behaviour.BUSY: "451 4.3.0 <{recipient}>: busy, come back later",
    Behaviour.THROTTLE: "451 4.7.1 rate limit exceeded, try again in 7 seconds",
    Behaviour.SHUTDOWN: "421 4.3.2 closing down",
}
"""What RCPT is answered, where it is not accepted."""

_NAMED = re.compile(rf"({'|'.join(Behaviour)})(?![a-z])", re.IGNORECASE)


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
