"""When a recipient is tried again."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.backoff import LEAST, later
from outreach_stream.domain.policy import Retry

RETRY = Retry(attempts=8, within=10_000, first=30, longest=600)


def always(value: float) -> Callable[[], float]:
    return lambda: value


@pytest.mark.parametrize(("attempts", "backoff"), [(0, 30), (1, 30), (2, 60), (3, 120), (5, 480), (6, 600), (7, 600)])
def test_it_doubles_up_to_the_longest(attempts: int, backoff: float) -> None:
    """All of the backoff, or a tenth of it, as chance has it; an attempt that did not count leaves it as it was."""
    assert later(RETRY, attempts=attempts, since=0, now=0, random=always(1.0)) == pytest.approx(backoff)
    assert later(RETRY, attempts=attempts, since=0, now=0, random=always(0.0)) == pytest.approx(LEAST * backoff)


def test_attempts_are_used_up() -> None:
    """The last one is the last one."""
    assert later(RETRY, attempts=8, since=0, now=0, random=always(0.5)) is None


@pytest.mark.parametrize(("now", "delay"), [(9_000, 600), (9_700, 300), (9_941, None), (10_000, None), (20_000, None)])
def test_age_is_used_up(now: float, delay: float | None) -> None:
    """The last attempt is drawn forward to the limit, but not so far that it would come right after the one before."""
    assert later(RETRY, attempts=7, since=0, now=now, random=always(1.0)) == delay


@given(attempts=st.integers(0, 100_000), allowed=st.integers(1, 100_000), since=st.floats(0, 1e9),
       age=st.floats(-10, 1e6), first=st.floats(0.1, 1e4), chance=st.floats(0, 1))
def test_it_is_neither_at_once_nor_too_late(attempts: int, allowed: int, since: float, age: float, first: float,
                                            chance: float) -> None:
    """Whatever the policy: a relay is not hammered, and nothing is tried beyond its age or its attempts."""
    retry = Retry(attempts=allowed, within=5_000, first=first, longest=3_600)
    now = since + age
    delay = later(retry, attempts=attempts, since=since, now=now, random=always(chance))
    if delay is None:
        assert attempts >= allowed or age >= 5_000 - LEAST * 3_600 - 1
    else:
        assert attempts < allowed
        assert LEAST * min(first, 3_600) - 1e-6 <= delay <= 3_600
        assert now + delay <= since + 5_000 + 1e-3
