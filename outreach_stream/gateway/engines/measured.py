"""How fast each engine's mails go out, as the statuses of its runs tell it."""

from collections import defaultdict, deque
from functools import partial
from typing import NamedTuple

from outreach_stream.gateway.engines.states import EngineState
from outreach_stream.gateway.runs.statuses import Word

WINDOW = 10.0
"""Seconds over which a rate is the mean."""

LAG = 2.0
"""Seconds by which the word of the workers may be late, or their clocks behind ours, without lowering a rate."""


SPANS = 20_000
"""Words on an engine's runs that are kept at most: of a thousand runs at the same time, those of five seconds."""


class MeasuredEngine(EngineState):
    """One engine, and what it does."""

    measured_rate: float | None
    """Mails per second over the last ten seconds, of all workers, as this gateway heard of them; null: none."""


class Span(NamedTuple):
    """So many mails between two words on a run."""

    start: float
    end: float
    """Seconds since the epoch, by the clock of the workers."""
    sent: int

    def within(self, start: float, end: float) -> float:
        """How many of them, taken as evenly spread, fall into that time."""
        overlap = min(end, self.end) - max(start, self.start)
        return max(0.0, overlap) / (self.end - self.start) * self.sent


class MeasuredRates:
    """Mails per second of each engine over the last WINDOW seconds: a fold over the statuses.

    It goes by the times in the statuses, so that a history read at once is no burst. A run's mails count for the engine
    that it was admitted to, whoever sent them.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}       # of runs that go on: when, and how many were sent by then
        # Bounded whatever the clocks say: a span that lies in the future would keep all behind it.
        self._spans: defaultdict[str, deque[Span]] = defaultdict(partial(deque, maxlen=SPANS))

    def note(self, run: str, word: Word) -> None:
        """Take in one status; as a listener of `RunStatuses`."""
        before = self._last.get(run)
        if word.state.terminal or not word.engine:
            self._last.pop(run, None)
        elif before is None or word.said > before[0]:
            self._last[run] = (word.said, word.sent)
        if before and word.engine and word.said > before[0] and word.sent > before[1]:
            spans = self._spans[word.engine]
            spans.append(Span(max(before[0], word.said - WINDOW), word.said, word.sent - before[1]))
            while spans[0].end < spans[-1].end - 2 * WINDOW:
                spans.popleft()

    def rate(self, engine: str, now: float) -> float | None:
        """Mails per second; None: nothing was sent lately."""
        spans = self._spans.get(engine)
        if not spans:
            return None
        end = min(now, max(now - LAG, spans[-1].end))
        sent = sum(span.within(end - WINDOW, end) for span in spans)
        return round(sent / WINDOW, 2) or None
