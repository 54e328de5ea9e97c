"""What a process says before it sends: up to where it may have put requests on the wire.

Written durably before the first of a block of requests is handed over. After a crash it tells apart, for each request
without an end: certainly not sent (not covered) from maybe sent (covered).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Watermark:
    """One writer's word on one engine's requests in one lane."""

    upto: int = 0
    """Offsets below may have been handed over …"""
    spared: frozenset[int] = frozenset()
    """… but not these: given back at a clean release."""

    def covers(self, offset: int) -> bool:
        """Whether the request at `offset` may have been handed over by this writer."""
        return offset < self.upto and offset not in self.spared

    def advanced(self, block: Iterable[int]) -> "Watermark":
        """Covers also the `block`, which is about to be handed over."""
        offsets = set(block)
        return Watermark(max(self.upto, max(offsets, default=-1) + 1), self.spared - offsets)

    def released(self, not_handed_over: Iterable[int], finished: int) -> "Watermark":
        """Spares what was covered and then not handed over; below `finished` nothing is delivered again."""
        spared = self.spared.union(offset for offset in not_handed_over if offset < self.upto)
        return Watermark(self.upto, frozenset(offset for offset in spared if offset >= finished))

    def encode(self) -> bytes:
        """The bytes in the table."""
        return orjson.dumps({"upto": self.upto, "spared": sorted(self.spared)})

    @classmethod
    def decode(cls, data: bytes) -> "Watermark":
        """What `encode` wrote."""
        value = orjson.loads(data)
        return cls(value["upto"], frozenset(value["spared"]))


def maybe_sent(offset: int, watermarks: Iterable[Watermark]) -> bool:
    """Whether any writer may have handed over the request at `offset`."""
    return any(watermark.covers(offset) for watermark in watermarks)
