"""How a run goes on: one decision over its deadline, its orders and its engines."""

import math

import pytest

from outreach_stream.dispatch.course import HURRY, TRICKLE, Course, Courses, Rates, Turnstile
from outreach_stream.dispatch.pacing import OPEN_WINDOW, Pace
from outreach_stream.domain.events import RunPlanned

NOW = 1_000.0
PACED = Course(Pace(50, 50))
AT_40 = Course(Pace(10, OPEN_WINDOW), 40.0, "backup")
TRICKLES = Course(Pace(1, 2), 8 * TRICKLE, "relay")


def plan(policy: str = "wait", failover: tuple[str, ...] = ("backup", "last"), deadline: float = NOW + 1) -> RunPlanned:
    return RunPlanned(run_id="r", plan_id="p", engine="relay", lanes=list(range(8)), spec="d", weight=1.0, chunks=[0],
                      deadline=deadline, total=1, skipped=0, on_engine_stopped=policy, failover=list(failover),
                      planned_at=NOW)


@pytest.fixture
def decide(world):
    """The course in a world where these are stopped, gone, ordered; `backup` sends 40/s, `last` without a limit."""
    def course(what: RunPlanned, *, stopped=(), gone=(), ordered=()) -> Course | None:
        world.others, world.gone = {"backup": 40.0, "last": None}, set(gone)
        for engine in stopped:
            world.order("fuse", engine)
        for matter in ordered:
            world.order(matter, "r")
        return Courses(world.orders, Rates(world.rate_of, lambda: NOW), 2.0).of(what, NOW)
    return course


@pytest.mark.parametrize(("what", "world_", "expected"), [
    (plan(), {}, PACED),
    (plan(), {"ordered": ["pause"]}, None),
    (plan(), {"ordered": ["cancel"]}, HURRY),
    (plan(), {"ordered": ["pause", "cancel"]}, HURRY),
    (plan(deadline=NOW), {"ordered": ["pause"]}, HURRY),
    (plan(), {"stopped": ["relay"]}, None),
    (plan(), {"stopped": ["backup"]}, PACED),
    (plan(), {"stopped": ["relay"], "ordered": ["cancel"]}, HURRY),
    (plan(deadline=NOW), {"stopped": ["relay"]}, HURRY),
    (plan(), {"gone": ["relay"]}, TRICKLES),
    (plan(), {"gone": ["relay"], "stopped": ["relay"]}, None),
    (plan("fail"), {}, PACED),
    (plan("fail"), {"stopped": ["relay"]}, HURRY),
    (plan("fail"), {"gone": ["relay"]}, HURRY),
    (plan("fail"), {"stopped": ["relay"], "ordered": ["pause"]}, None),
    (plan("failover"), {}, PACED),
    (plan("failover"), {"stopped": ["relay"]}, AT_40),
    (plan("failover"), {"gone": ["relay"]}, AT_40),
    (plan("failover"), {"stopped": ["relay"], "ordered": ["pause"]}, None),
    (plan("failover"), {"stopped": ["relay", "backup"]}, HURRY),
    (plan("failover"), {"stopped": ["relay"], "gone": ["backup"]}, HURRY),
    (plan("failover"), {"stopped": ["relay", "backup", "last"]}, None),
    (plan("failover"), {"gone": ["relay", "backup", "last"]}, TRICKLES),
    (plan("failover", ()), {"stopped": ["relay"]}, None),
])
def test_course(decide, what, world_, expected) -> None:
    """Deadline and cancellation first, then a pause, then the engine, then the workflow's policy."""
    assert decide(what, **world_) == expected


def test_the_catalog_is_asked_once_a_second() -> None:
    """Also for what it does not have; and a change is noticed after that second."""
    now, asked, rates = [0.0], [], {"a": 5.0}

    def rate_of(engine: str) -> float:
        asked.append(engine)
        return rates[engine]

    known = Rates(rate_of, lambda: now[0])
    for _ in range(3):
        assert (known.knows("a"), known.of("a"), known.knows("b")) == (True, 5.0, False)
    assert asked == ["a", "b"]

    rates["b"] = rates.pop("a")
    now[0] = 1.0
    assert (known.knows("a"), known.knows("b"), known.of("b")) == (False, True, 5.0)


@pytest.mark.parametrize(("course", "most", "seconds"), [(AT_40, 40 * 2, 60), (TRICKLES, 1, 3_600)])
def test_a_rate_that_is_kept_by_time(course: Course, most: int, seconds: int) -> None:
    """What two seconds bring may go at once, and in the long run no more than the rate, and no less."""
    turnstile, counts = Turnstile(2.0), []
    for tick in range(seconds * 10):
        went = 0
        while turnstile.open(course, tick / 10):
            turnstile.passed(course, course.pace.slice, tick / 10)
            went += course.pace.slice
        counts.append(went)

    assert most <= counts[0] <= most + course.pace.slice
    assert sum(counts) == pytest.approx(course.rate * seconds + most, abs=2 * course.pace.slice)


def test_without_a_rate_everybody_may_go() -> None:
    """The lanes are measure enough."""
    turnstile = Turnstile(2.0)
    turnstile.passed(PACED, 10**9, NOW)

    assert turnstile.open(PACED, NOW)
    assert PACED.rate == math.inf
