"""Figures of several rounds, made into one result. Values in, values out."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

type Figures = dict[str, Any]
"""Numbers and words by name; groups of them, too."""

WORST = ("lost", "duplicates")
"""Of these the worst round counts, whatever the others were like."""


def summary(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure; with several rounds also the least and the greatest, under `min` and `max`."""
    told = each(rounds, middle) | {name: max(figures[name] for figures in rounds) for name in WORST}
    told["rounds"] = len(rounds)
    if len(rounds) > 1:
        told |= {"min": each(rounds, min), "max": each(rounds, max)}
    return told


def each(rounds: Sequence[Mapping[str, Any]], fold: Callable[[Sequence[float]], float]) -> Figures:
    """Figure by figure, in groups of figures, too. What is no figure is as it was in the first round."""
    folded: Figures = {}
    for name, first in rounds[0].items():
        values = [figures[name] for figures in rounds if name in figures]
        if isinstance(first, Mapping):
            folded[name] = each(values, fold)
        elif isinstance(first, int | float) and not isinstance(first, bool):
            folded[name] = fold(values)
        else:
            folded[name] = first
    return folded


def middle(values: Sequence[float]) -> float:
    """The median; of whole numbers a whole one."""
    found = median(values)
    return round(found) if all(isinstance(value, int) for value in values) else round(found, 3)


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values than which no more than `1 - share` of them are greater (nearest rank). Needs some."""
    ordered = sorted(values)
    rank = -(-len(ordered) * share // 1)     # rounded up
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def lost_and_doubled(sent: int, wanted: int, mails: int, reached: int | None) -> tuple[int, int]:
    """Who of `wanted` recipients got nothing, and how many mails too many there were.

    With a sink that knows recipients, `reached` of them got mail, and that alone counts. One that only counts `mails`
    is compared with how many the run says were sent: then one lost and one doubled would hide each other.
    """
    if reached is not None:
        return wanted - reached, mails - reached
    return wanted - min(mails, sent), max(0, mails - sent)
