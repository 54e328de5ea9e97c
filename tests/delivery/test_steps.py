"""What follows an attempt, for every outcome there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.steps import (
    IN_PLACE_ATTEMPTS,
    IN_PLACE_SECONDS,
    Again,
    End,
    Step,
    after,
    backoff,
    reason_of,
    unsent,
)
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.domain.states import RecipientStatus

REFUSALS = [RecipientRejected("no"), MessageRejected("no"), SenderBlocked("no"), EngineStopped("no")]
PASSING = [Transient("busy"), Throttled("slow")]
OUTCOMES: list[Outcome] = [Accepted("1"), InDoubt("lost"), *REFUSALS, *PASSING]


def step(outcome: Outcome, *, attempts: int = 1, waited: float = 0.0, expired: bool = False, doubted: bool = False,
         resend: bool = True) -> Step:
    return after(outcome, attempts=attempts, waited=waited, expired=expired, doubted=doubted, resend=resend,
                 random=lambda: 0.5)


def status(outcome: Outcome, **known: bool) -> RecipientStatus | None:
    taken = step(outcome, attempts=IN_PLACE_ATTEMPTS, **known)
    return taken.status if isinstance(taken, End) else None


def test_accepted_is_sent() -> None:
    """Sent is sent, in doubt before or not: the label says the rest."""
    assert step(Accepted("1")) == step(Accepted("1"), doubted=True) == End(RecipientStatus.SENT)


@pytest.mark.parametrize("outcome", REFUSALS, ids=lambda outcome: type(outcome).__name__)
def test_a_refusal_is_final_at_once(outcome: Outcome) -> None:
    """No second attempt, and the reason is kept."""
    assert step(outcome) == End(RecipientStatus.FAILED, "no")


@pytest.mark.parametrize("outcome", [*REFUSALS, *PASSING, InDoubt("lost")], ids=lambda outcome: type(outcome).__name__)
def test_what_may_have_been_sent_never_ends_as_failed(outcome: Outcome) -> None:
    """Doubted before: no later failure can prove that nothing went out."""
    for resend in (True, False):
        assert status(outcome, doubted=True, resend=resend) is RecipientStatus.IN_DOUBT


def test_a_doubt_is_mailed_again_labelled_or_held() -> None:
    """The workflow's policy decides, and a resend says that it is doubted."""
    again = step(InDoubt("lost"), resend=True)
    assert isinstance(again, Again)
    assert again.doubted
    assert step(InDoubt("lost", "by peer"), resend=False) == End(RecipientStatus.IN_DOUBT, "lost: by peer")


@given(st.sampled_from(OUTCOMES), st.integers(0, 10), st.floats(0, 3), st.booleans(), st.booleans(), st.booleans(),
       st.floats(0, 1))
def test_every_way_ends(outcome: Outcome, attempts: int, waited: float, expired: bool, doubted: bool, resend: bool,
                        random: float) -> None:
    """In place, nothing is tried after the last attempt or, for a mere failure, after the time in place is over."""
    taken = after(outcome, attempts=attempts, waited=waited, expired=expired, doubted=doubted, resend=resend,
                  random=lambda: random)
    if isinstance(taken, Again):
        assert attempts < IN_PLACE_ATTEMPTS
        assert outcome.retriable or (isinstance(outcome, InDoubt) and resend and taken.doubted)
        assert taken.doubted or not expired
        assert taken.doubted or isinstance(outcome, Throttled) or waited + taken.delay <= IN_PLACE_SECONDS
    else:
        assert (taken.status is RecipientStatus.SENT) == isinstance(outcome, Accepted)


def test_past_the_deadline_what_could_be_tried_again_expires() -> None:
    """Not failed: nobody refused this recipient. What was handed over before is in doubt all the same."""
    for outcome in PASSING:
        assert step(outcome, expired=True) == End(RecipientStatus.EXPIRED, reason_of(outcome))
        assert step(outcome, expired=True, doubted=True) == End(RecipientStatus.IN_DOUBT, reason_of(outcome))
    assert step(Accepted("1"), expired=True) == End(RecipientStatus.SENT)
    assert step(RecipientRejected("no"), expired=True) == End(RecipientStatus.FAILED, "no")


def test_throttled_is_not_given_up_for_the_time_its_engine_paused() -> None:
    """The pause is the engine's, a minute long perhaps; only so many in a row end the recipient."""
    assert step(Throttled("slow"), waited=100) == Again(0.0)
    assert status(Throttled("slow")) is RecipientStatus.FAILED


def test_the_backoff_doubles_and_is_full_jitter() -> None:
    """Between nothing and twice as long as the last time."""
    longest = [backoff(attempts, lambda: 1.0) for attempts in (1, 2, 3, 4)]
    assert longest == [0.1, 0.2, 0.4, 0.8]
    assert backoff(4, lambda: 0.0) == 0


def test_reasons_and_ends_of_the_unsent() -> None:
    """A reason is one line; what may be out is never called expired or skipped."""
    assert reason_of(Accepted("1")) is None
    assert reason_of(Transient("busy", "come back")) == "busy: come back"
    assert unsent(RecipientStatus.EXPIRED, "deadline", doubted=False) == End(RecipientStatus.EXPIRED, "deadline")
    assert unsent(RecipientStatus.EXPIRED, "deadline", doubted=True) == End(RecipientStatus.IN_DOUBT, "deadline")
