"""Where a request stands before an attempt: every reason not to go, and which of two comes first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.standing import DIED, Facts, Go, Known, Move, Park, Standing, Surroundings, standing
from outreach_stream.delivery.steps import End
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.domain.states import RecipientStatus

from .conftest import NOW, request

ROUTES = [Route("e", [0]), Route("b", [1]), Route("c", [2])]
FAILOVER = Policy(on_engine_stopped="failover", routes=ROUTES)
POLICIES = [Policy(), Policy(in_doubt="hold"), Policy(in_doubt="resend"), Policy(on_engine_stopped="fail"), FAILOVER]
NOT_MAILED = {RecipientStatus.SKIPPED, RecipientStatus.CANCELLED, RecipientStatus.EXPIRED, RecipientStatus.FAILED}


def at(facts: Facts | None = None, policy: Policy | None = None, *, express: bool = False,
       fields: dict[str, Any] | None = None, **around: Any) -> Standing:
    return standing(request(0, **(fields or {})), facts or Facts(), policy or Policy(),
                    Surroundings(NOW, **around), express=express)


def test_nothing_in_its_way() -> None:
    """It goes; also when it may have been sent and is to be mailed again, or a person wants it mailed again."""
    assert at() == at(Facts(doubted=True, lost=True)) == Go()
    assert at(Facts(doubted=True), express=True, fields={"doubted": True}) == Go()


@pytest.mark.parametrize("around", [{}, {"cancelled": True}, {"paused": True}, {"stopped": "key"}])
def test_an_end_stands(around: dict[str, Any]) -> None:
    """Whatever is ordered later, it is only said again; neither a skip nor the deadline changes it."""
    known = at(Facts(RecipientStatus.SENT, doubted=True), FAILOVER, fields={"skip": "x", "deadline": NOW}, **around)
    assert known == Known(RecipientStatus.SENT)


def test_what_was_moved_moves_again_though_its_engine_works_and_its_run_is_over() -> None:
    """The next one has it, or will: it ends there."""
    for around in ({}, {"cancelled": True}, {"stopped": "key"}):
        assert at(Facts(moved=True), FAILOVER, fields={"deadline": NOW}, **around) == Move(ROUTES[1])
    assert at(Facts(moved=True), FAILOVER, fields={"engine": "b"}) == Move(ROUTES[2])


def test_a_run_that_is_over_ends_its_recipients() -> None:
    """Cancelled or past the deadline, before anything may make them wait."""
    for around in ({}, {"paused": True}, {"stopped": "key"}):
        assert at(fields={"deadline": NOW}, **around) == End(RecipientStatus.EXPIRED, "deadline")
        assert at(fields={"deadline": NOW}, cancelled=True, **around) == End(RecipientStatus.CANCELLED, "cancelled")
    assert at(fields={"deadline": NOW + 0.1}) == Go()


@pytest.mark.parametrize("paused", [True, False])
def test_lost_and_held(paused: bool) -> None:
    """By default that is express; the workflow's word goes before the lane's."""
    lost, held = Facts(doubted=True, lost=True), End(RecipientStatus.IN_DOUBT, DIED)
    assert at(lost, express=True, paused=paused) == held
    assert at(lost, Policy(in_doubt="hold"), paused=paused) == held
    resent = at(lost, Policy(in_doubt="resend"), express=True, paused=paused)
    assert isinstance(resent, Park if paused else Go)


def test_a_stopped_engine() -> None:
    """Wait, fail, or the next one; for what may have been sent there is no next one."""
    assert at(stopped="key") == Park("its engine has stopped: key")
    assert at(policy=POLICIES[3], stopped="key") == End(RecipientStatus.FAILED, "its engine has stopped: key")
    assert at(policy=FAILOVER, stopped="key") == Move(ROUTES[1])
    assert at(policy=FAILOVER, stopped="key", fields={"engine": "c"}) == Park("its engine has stopped: key")
    assert at(policy=FAILOVER, stopped="key", fields={"engine": "unknown"}) == Park("its engine has stopped: key")
    assert at(Facts(doubted=True), FAILOVER, stopped="key") == Park("its engine has stopped: key")
    assert at(policy=FAILOVER, stopped="key", paused=True) == Park("its run is paused")


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans(),
       st.sampled_from([None, "key"]), st.sampled_from(POLICIES), st.booleans(), st.sampled_from([None, "bounced"]))
def test_the_doubted_never_end_unmailed_nor_move_and_nothing_goes_while_halted(
        doubted: bool, lost: bool, moved: bool, over: bool, cancelled: bool, paused: bool, stopped: str | None,
        policy: Policy, express: bool, skip: str | None) -> None:
    """For every combination there is."""
    facts = Facts(doubted=doubted or lost, lost=lost, moved=moved)
    around = Surroundings(NOW, cancelled, paused, stopped)
    step = standing(request(0, deadline=NOW if over else NOW + 1, skip=skip), facts, policy, around, express=express)
    if cancelled or paused or stopped or over or skip is not None:
        assert not isinstance(step, Go)
    if facts.doubted and not moved:
        assert not isinstance(step, Move)
        assert not (isinstance(step, End) and step.status in NOT_MAILED)
    if isinstance(step, Move):
        assert moved or (stopped and policy is FAILOVER)
    if lost and not policy.resends(express=express):
        assert not isinstance(step, Go | Park)
