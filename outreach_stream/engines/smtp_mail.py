"""One message on its way over one session: its bytes, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Outcome, Refusal
from outreach_stream.engines.smtp_replies import Phase
from outreach_stream.engines.smtp_session import Session

_PHASES = (Phase.MAIL, Phase.RCPT, Phase.DATA)


def wire_form(content: bytes, *, tidy: bool = False) -> bytes:
    """`content` as it goes after 354: dots stuffed (RFC 5321 section 4.5.2), and the final dot.

    Its lines must end in CRLF (`crlf`), so that only the last line can be a lone dot. `tidy`: no dot is to be stuffed.
    """
    if tidy:
        return content + b".\r\n"
    data = content.replace(b"\r\n.", b"\r\n..")
    return b"".join((b"." if data.startswith(b".") else b"", data, b".\r\n"))


@dataclass(slots=True)
class Mail:
    """One message, and what has been said of it over the session that it was made for."""

    message: OutgoingMessage
    content: bytes
    """As the session's server takes it, its dots not stuffed."""
    tidy: bool
    """It has no dot to be stuffed."""
    refusal: Refusal | None
    """Why that server cannot take it, known without asking."""
    begun: bool = False
    """The first of its commands has been written."""
    old: bool = False
    """The session may have gone stale before it began."""
    phase: Phase = Phase.MAIL
    """What was asked last, of that which was or should have been answered."""
    phases: Sequence[Phase] = _PHASES
    commands: Sequence[bytes] = ()
    """What is asked before its body, in order."""
    replies: int = 0

    @classmethod
    def over(cls, session: Session, message: OutgoingMessage) -> "Mail":
        """`message` as it goes over `session`, signed now."""
        content, tidy = session.content(message)
        return cls(message, content, tidy, session.abilities.refusal(message, content))

    def begin(self, session: Session, *, reset: bool, old: bool) -> None:
        """Make its commands."""
        self.begun, self.old = True, old
        self.commands = (*session.abilities.envelope(self.message, self.content), b"DATA\r\n")
        if reset:
            # Only after a refusal: a 250 to the dot has cleared everything (RFC 5321 section 4.1.1.4), and some
            # servers count RSETs as errors.
            self.phases, self.commands = (Phase.RSET, *_PHASES), (b"RSET\r\n", *self.commands)
        self.phase = self.phases[0]


class Alone:
    """A chain of one message; see `outreach_stream.domain.ports.Chain`."""

    outcome: Outcome

    def __init__(self, message: OutgoingMessage) -> None:
        self._message: OutgoingMessage | None = message

    def next(self) -> OutgoingMessage | None:
        """The message, once."""
        message, self._message = self._message, None
        return message

    def go(self) -> bool:
        """Whoever hands over one message has made sure that it may go."""
        return True

    def ended(self, outcome: Outcome) -> None:
        """Keep the outcome."""
        self.outcome = outcome
