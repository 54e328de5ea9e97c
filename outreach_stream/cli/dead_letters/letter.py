"""A dead letter as a value: the record as it came, where it came from, and why it is here."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from outreach_stream.domain.clock import iso
from outreach_stream.streaming.produce import Headers, Record
from outreach_stream.topics import FLOW

TOLD = ("source_topic", "source_partition", "source_offset", "reason")
"""Headers that are added when a record is buried: its last ones, in this order, and `truncated` after them."""

OURS = frozenset(topic.name for topic in FLOW)


class Source(NamedTuple):
    """Where a record was found."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One of them."""

    offset: int
    at: float
    """When it was buried."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    """Its own."""
    source: Source | None
    """None: it was not buried by us."""
    reason: str
    truncated: bool
    """Of its value only the beginning is here: the rest is at its source, while that is kept."""

    @classmethod
    def read(cls, record: Any) -> Self:
        """The dead letter in a consumer's record, whatever that is."""
        headers = tuple(record.headers)
        truncated = len(headers) > len(TOLD) and headers[-1][0] == "truncated" and _told(headers[:-1]) is not None
        told = _told(headers[:-1] if truncated else headers)
        source, reason = told or (None, "")
        own = headers[:-len(TOLD) - truncated] if told else headers
        return cls(record.offset, record.timestamp / 1000, record.key, record.value, own, source, reason, truncated)

    @property
    def hindrance(self) -> str | None:
        """Why it cannot be put back; None: it can."""
        if self.source is None:
            return "it does not say where it came from"
        if self.source.topic not in OURS:
            return f"{self.source.topic} is no topic of ours"
        if self.truncated:
            return "only its beginning was kept: it was too large. Have its producer send it anew"
        return None

    def original(self) -> Record:
        """The record as it was at its source."""
        return Record(self.key, self.value, self.headers)

    def summary(self) -> dict[str, Any]:
        """All but the contents, for people and programs."""
        topic, partition, offset = self.source or (None, None, None)
        return {"offset": self.offset, "at": iso(self.at), "topic": topic, "partition": partition,
                "source_offset": offset, "bytes": len(self.value or b""), "truncated": self.truncated,
                "reason": self.reason}


def _told(headers: Headers) -> tuple[Source, str] | None:
    """Source and reason in the last headers; None: they are not ours."""
    if tuple(name for name, _ in headers[-len(TOLD):]) != TOLD:
        return None
    topic, partition, offset, reason = (value.decode(errors="replace") for _, value in headers[-len(TOLD):])
    if not (partition.isdecimal() and offset.isdecimal()):
        return None
    return Source(topic, int(partition), int(offset)), reason


def text_or_hex(data: bytes | None) -> tuple[str, str]:
    """`("text", …)` for UTF-8, else `("hex", …)`; `("null", "")` for what is not there."""
    if data is None:
        return "null", ""
    try:
        return "text", data.decode()
    except UnicodeDecodeError:
        return "hex", data.hex()


def printable(text: str) -> str:
    """Fit for a terminal: what comes from outside may hold sequences that command it."""
    return "".join(char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
                   for char in text)
