"""How often an engine was used of late, in bins of time: it keeps a cap in any window, and is a few hundred bytes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import orjson

BINS = 24
"""A window is counted in so many bins and one more: the oldest, of which the window may still hold a part."""


@dataclass(frozen=True, slots=True)
class Window:
    """Any span of so many seconds."""

    seconds: float

    @property
    def width(self) -> float:
        """Seconds of a bin."""
        return self.seconds / BINS

    def bin(self, now: float) -> int:
        """The bin of a moment."""
        return int(now // self.width)

    def oldest(self, now: float) -> int:
        """The oldest bin that counts."""
        return self.bin(now) - BINS

    def wait(self, used: Counter[int], cap: int, now: float) -> float:
        """Seconds until fewer than `cap` are counted, if nothing more is used; at most the window and a bin."""
        over = used.total() - cap
        for number, units in sorted(used.items()):
            if over < 0:
                break
            over -= units
            if over < 0:
                return (number + BINS + 1) * self.width - now
        return 0.0 if over < 0 else self.seconds


HOUR, DAY = Window(3_600.0), Window(86_400.0)


@dataclass(slots=True)
class Uses:
    """What was used, by bins of both windows. Both are always kept: a cap may be set later."""

    hour: Counter[int] = field(default_factory=Counter)
    day: Counter[int] = field(default_factory=Counter)

    def plus(self, units: int, moment: float) -> "Uses":
        """These and `units` more (fewer, if negative) of that moment."""
        more = Uses(Counter({HOUR.bin(moment): units}), Counter({DAY.bin(moment): units}))
        return Uses.sum([self, more])

    def since(self, now: float) -> "Uses":
        """Those that count now; what is dated later than now (another machine's clock) counts too."""
        return Uses(_recent(self.hour, HOUR.oldest(now)), _recent(self.day, DAY.oldest(now)))

    def __bool__(self) -> bool:
        return bool(self.hour or self.day)

    @classmethod
    def sum(cls, parts: Iterable["Uses"]) -> "Uses":
        """All of them."""
        total = cls()
        for part in parts:
            total.hour.update(part.hour)
            total.day.update(part.day)
        return total

    def encode(self) -> bytes:
        """The bytes in the table."""
        return orjson.dumps({"hour": sorted(self.hour.items()), "day": sorted(self.day.items())})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What `encode` wrote."""
        value = orjson.loads(data)
        return cls(Counter(dict(value["hour"])), Counter(dict(value["day"])))


def _recent(bins: Counter[int], oldest: int) -> Counter[int]:
    return Counter({number: units for number, units in bins.items() if number >= oldest and units > 0})
