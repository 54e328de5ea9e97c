"""What is to be measured."""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What a bench can find out."""

    THROUGHPUT = "throughput"
    """How many recipients a second, and at what cost."""
    LATENCY = "latency"
    """How soon one mail arrives while a campaign goes on."""


class SinkKind(StrEnum):
    """What receives the mails."""

    AUTO = "auto"
    """Postfix's where it can be used, else ours."""
    POSTFIX = "smtp-sink"
    INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for."""

    recipients: int
    repeat: int = 1
    warm_up: int = 0
    """Recipients that are mailed before anything is measured."""
    senders: int = 1
    concurrency: int = 600
    """Mails in work at a time, of one sender process."""
    rate: float | None = None
    """Mails a second that the engine allows; None: as many as will."""
    latency: float = 0.0
    """Milliseconds that the sink takes for each mail."""
    sink: SinkKind = SinkKind.AUTO
    seconds: int = 0
    """For how long single mails are sent, where their latency is measured; 0: throughput is."""
