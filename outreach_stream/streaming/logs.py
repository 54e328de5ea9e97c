"""The libraries' own logging: warnings only, and few of one kind."""

import logging
from collections import defaultdict
from collections.abc import Callable
from time import monotonic

LIBRARIES = ("aiokafka", "faust", "mode", "kafka")

QUIET = ("aiokafka.consumer.group_coordinator", "aiokafka.cluster")
"""Loggers that report an ordinary rebalance as a warning."""


class Flood(logging.Filter):
    """Lets through `most` records of one message template per `seconds`; what libraries do not log passes freely.

    A broker's outage makes the libraries log a thousand errors a minute, of five kinds.
    """

    def __init__(self, most: int = 3, seconds: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._most, self._seconds, self._clock = most, seconds, clock
        self._seen: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def filter(self, record: logging.LogRecord) -> bool:
        """False: this kind was logged often enough lately."""
        if record.name.partition(".")[0] not in LIBRARIES:
            return True
        now, seen = self._clock(), self._seen[record.name, str(record.msg)[:60]]
        seen[:] = [at for at in seen if now - at < self._seconds]
        if len(seen) >= self._most:
            return False
        seen.append(now)
        return True


def calm_libraries() -> None:
    """Sets the libraries to warnings (aiokafka's debug lines alone cost a tenth of the CPU) and stops their floods."""
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not logging.getLogger().handlers:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, Flood) for known in handler.filters):
            handler.addFilter(Flood())
