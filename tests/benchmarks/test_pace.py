"""How a rate is judged by the moments at which mails came."""

import pytest

from benchmarks.pace import broken, pace, verdict


def evenly(rate: int, seconds: float, begin: float = 1_000.0) -> list[float]:
    """Moments of so many mails a second."""
    return [begin + number / rate for number in range(int(rate * seconds))]


def test_an_even_pace_is_as_asked() -> None:
    """A hundred a second for ten seconds; the edges are no part of what counts as steady."""
    figures = pace(evenly(100, 10), 100, burst=10)

    assert figures["delivered_per_s"] == pytest.approx(100, abs=0.2)
    assert figures["steady_seconds"] == pytest.approx(8, abs=0.02)
    assert (figures["most_in_a_second"], figures["allowed_in_a_second"]) == (100, 110)
    assert verdict(figures | {"lost": 0, "duplicates": 0}) == "as asked"


def test_slow_edges_do_not_count_against_the_pace() -> None:
    """Nothing but one mail at the very beginning, and one at the end."""
    moments = [1_000.0, *evenly(100, 5, 1_001.0), 1_007.0]

    assert pace(moments, 100, 10)["delivered_per_s"] == pytest.approx(100, abs=0.5)


def test_a_burst_is_found_wherever_it_begins() -> None:
    """Twenty mails at once in the middle of a second, and in the first one: windows begin at any mail."""
    even = evenly(100, 10)

    assert pace(sorted([*even, *[1_005.55] * 20]), 100, 10)["most_in_a_second"] == 120
    early = pace(sorted([*even, *[1_000.0] * 20]), 100, 10)
    assert early["most_in_a_second"] == 120
    assert broken(early | {"lost": 1, "duplicates": 2}) == [
        "120 mails came within one second; 110 may", "1 recipients got nothing", "2 mails came twice"]
    assert verdict(early | {"lost": 0, "duplicates": 0}).startswith("NOT KEPT: 120 mails")


def test_a_machine_that_is_too_slow_is_said_to_be() -> None:
    """Plainly, and it is no broken promise."""
    figures = pace(evenly(70, 10), 100, 10) | {"lost": 0, "duplicates": 0}

    assert verdict(figures) == "NOT REACHED: this machine sent 70 of 100 a second; ask for less"
    assert not broken(figures)


def test_a_second_is_too_short() -> None:
    """What has no steady part is not measured."""
    with pytest.raises(ValueError, match="no steady part"):
        pace(evenly(100, 2), 100, 10)
