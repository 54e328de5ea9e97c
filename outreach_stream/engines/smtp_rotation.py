"""Whose turn it is among several relays: pure, but for its own memory."""

from collections.abc import Sequence

REST = 10.0
"""Seconds for which a relay that could not be reached is left out."""


class Rotation:
    """Smooth weighted round robin: of weights 3 and 1, the first has three turns of four, never bunched together.

    Known by their place in `weights`. Times are in seconds, of any clock that does not go back.
    """

    def __init__(self, weights: Sequence[int]) -> None:
        self._weights = tuple(weights)
        self._credit = [0] * len(self._weights)
        self._rests_until = [0.0] * len(self._weights)

    def turn(self, now: float) -> list[int]:
        """Whose turn it is, and then whom to try after it; nobody who rests, unless all do."""
        everybody = range(len(self._weights))
        able = [place for place in everybody if self._rests_until[place] <= now] or list(everybody)
        for place in able:
            self._credit[place] += self._weights[place]
        order = sorted(able, key=lambda place: -self._credit[place])
        self._credit[order[0]] -= sum(self._weights[place] for place in able)
        return order

    def unreachable(self, place: int, now: float) -> None:
        """It is left out for a while."""
        self._rests_until[place] = now + REST

    def reachable(self, place: int) -> None:
        """It is among the others again."""
        self._rests_until[place] = 0.0
