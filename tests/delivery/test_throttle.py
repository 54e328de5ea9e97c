"""The pace after a provider said that we are too fast: half, and then little by little as before."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.throttle import LEAST_FACTOR, LONGEST_PAUSE, factor_at, throttled
from outreach_stream.domain.control import EngineThrottle

NOW = 1_000.0
HALF = EngineThrottle(until=NOW + 10, factor=0.5, reason="slow down", at=NOW)


def test_nothing_asked_for_is_the_full_rate() -> None:
    """An engine that never throttled is used as configured."""
    assert factor_at(None, NOW) == 1.0


@pytest.mark.parametrize(("now", "factor"), [(NOW, 0.5), (NOW + 10, 0.5), (NOW + 20, 0.6), (NOW + 60, 1.0),
                                             (NOW + 9_999, 1.0)])
def test_it_climbs_back_after_the_pause(now: float, factor: float) -> None:
    """A hundredth of the full rate each second, and never above the full rate."""
    assert factor_at(HALF, now) == pytest.approx(factor)


@pytest.mark.parametrize(("retry_after", "pause"), [(None, 5), (0, 0), (30, 30), (86_400, LONGEST_PAUSE), (-1, 0)])
def test_the_first_throttle_halves_and_pauses(retry_after: float | None, pause: float) -> None:
    """As long as the provider says, but not for hours: it is asked again."""
    order = throttled(None, retry_after, "slow down", NOW)
    assert order == EngineThrottle(until=NOW + pause, factor=0.5, reason="slow down", at=NOW)


def test_a_further_throttle_halves_what_is_in_force() -> None:
    """Half of what it had climbed back to."""
    order = throttled(HALF, None, "slow down", HALF.until + 20)
    assert order
    assert order.factor == pytest.approx(0.35)


@pytest.mark.parametrize(("retry_after", "seconds_after", "until"), [
    (None, 5, None),      # asks for nothing that is not done
    (5, 5, None),
    (5.5, 5, None),       # hardly more
    (60, 5, 65),
    (60, 10.5, 70.5),     # the pause has just ended
    (None, 10.5, None),
])
def test_what_was_in_flight_slows_nothing_down_further(retry_after: float | None, seconds_after: float,
                                                       until: float | None) -> None:
    """A hundred replies to what was on the wire are one reason, not a hundred; a longer pause is kept all the same."""
    order = throttled(HALF, retry_after, "slow down", NOW + seconds_after)
    assert (order and order.until - NOW) == until
    assert order is None or order.factor == HALF.factor


def test_when_an_attempt_began_decides_whether_it_was_in_flight() -> None:
    """A late reply to an old attempt is no news; a quick one to an attempt after the pause is."""
    late = HALF.until + 30
    assert throttled(HALF, None, "slow down", late, began=HALF.until - 0.1) is None
    quick = throttled(HALF, None, "slow down", HALF.until + 0.2, began=HALF.until + 0.1)
    assert quick
    assert quick.factor == pytest.approx(0.25, abs=0.01)


@given(st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0, 1_000)), max_size=60))
def test_any_replies_leave_a_pace_that_works(replies: list[tuple[float, float | None]]) -> None:
    """Never above the full rate, never standing, pauses never taken back, and within a second one halving at most."""
    now, order, halvings = NOW, None, []
    for seconds, retry_after in replies:
        now += seconds
        before, order = order, throttled(order, retry_after, "slow down", now) or order
        if order is None:
            continue
        assert LEAST_FACTOR <= factor_at(order, now) <= 1.0
        assert order.until <= now + LONGEST_PAUSE or order is before
        assert before is None or order.until >= before.until
        if order is not before and (before is None or order.factor != before.factor):
            halvings.append(now)
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(halvings))
