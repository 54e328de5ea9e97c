"""A worker that is frozen past its session timeout, and wakes to find its partitions given away."""

import pytest

from .workers import ROLES

LATER = dict.fromkeys(("aggregator", "dispatcher"), pytest.mark.long)


@pytest.mark.parametrize("role", [pytest.param(role, marks=LATER.get(role, ())) for role in ROLES])
async def test_a_frozen_worker_does_not_work_beside_its_successor(played, role):
    """Whatever the thawed one still has in hand, only what was on the wire at the freeze may be mailed twice."""
    await played(f"SIGSTOP of the {role} past its session, then SIGCONT")


async def test_a_plan_that_is_durable_stands(played):
    """Its planner frozen, a second one plans again and fails: everybody is mailed, once."""
    await played("a planner frozen after its plan, a second one that fails")
