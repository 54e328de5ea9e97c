"""How even a run's mails came: what was delivered a second, and the most in any one. Values in, values out."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from outreach_stream.inbox.record import most_in_window

EDGE = 1.0
"""Seconds at the beginning and at the end that do not count as steady: buckets fill, and lanes end one by one."""

TOLERANCE = 1.0
"""Per cent by which what is delivered may differ from what was asked."""

type Figures = dict[str, Any]


def pace(moments: Sequence[float], asked: float, burst: float) -> Figures:
    """The figures of mails that came at these moments (seconds, in order), of a rate that was asked.

    Delivered are the mails of the steady part, which is all but its first and its last second, by its length; windows
    of one second are looked for everywhere. Raises ValueError if there is no steady part of a second.
    """
    begin, end = moments[0] + EDGE, moments[-1] - EDGE
    if end - begin < 1:
        raise ValueError(f"all came within {moments[-1] - moments[0]:.1f} s: there is no steady part to measure")

    def between(since: float, until: float) -> int:
        return bisect_left(moments, until) - bisect_left(moments, since)

    delivered = between(begin, end) / (end - begin)
    seconds = [between(begin + number, begin + number + 1) for number in range(int(end - begin))]
    return {
        "asked_per_s": asked, "delivered_per_s": round(delivered, 1),
        "off_percent": round(100 * (delivered / asked - 1), 2),
        "steady_seconds": round(end - begin, 2), "slowest_second": min(seconds), "fastest_second": max(seconds),
        "most_in_a_second": most_in_window(moments, 1.0), "allowed_in_a_second": round(asked + burst, 1),
    }


def broken(figures: Mapping[str, Any]) -> list[str]:
    """What was promised of the rate and of recipients, and is not so."""
    found = [
        (figures["most_in_a_second"] > figures["allowed_in_a_second"],
         f"{figures['most_in_a_second']:,} mails came within one second; {figures['allowed_in_a_second']:,.0f} may"),
        (figures["lost"] > 0, f"{figures['lost']:,} recipients got nothing"),
        (figures["duplicates"] > 0, f"{figures['duplicates']:,} mails came twice"),
    ]
    return [text for wrong, text in found if wrong]


def verdict(figures: Mapping[str, Any]) -> str:
    """Whether what was asked was delivered, in words."""
    if problems := broken(figures):
        return f"NOT KEPT: {'; '.join(problems)}"
    if figures["off_percent"] < -TOLERANCE:
        return (f"NOT REACHED: this machine sent {figures['delivered_per_s']:,.0f} of {figures['asked_per_s']:,.0f} "
                "a second; ask for less")
    return "as asked" if figures["off_percent"] <= TOLERANCE else f"MORE than asked, by {figures['off_percent']} %"
