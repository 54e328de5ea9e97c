"""What follows an attempt, for every outcome there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.item import History
from outreach_stream.delivery.steps import (
    IN_PLACE_SECONDS,
    IN_PLACE_TRIES,
    MOST_RESENT,
    Again,
    End,
    Later,
    SoFar,
    Step,
    Stop,
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
from outreach_stream.domain.policy import Retry
from outreach_stream.domain.states import RecipientStatus

NOW = 100_000.0
ONE = History(0, 1, NOW)
RETRY = Retry(attempts=4, within=3_600, first=30, longest=600)
REFUSALS = [RecipientRejected("no"), MessageRejected("no"), SenderBlocked("no")]
PASSING = [Transient("busy"), Throttled("slow")]
OUTCOMES: list[Outcome] = [Accepted("1"), InDoubt("lost"), EngineStopped("key"), *REFUSALS, *PASSING]


def step(outcome: Outcome, *, tries: int = 1, waited: float = 0.0, history: History = ONE,
         expired: bool = False, doubted: bool = False, resend: bool = True) -> Step:
    return after(outcome, SoFar(history, tries, waited, NOW, expired, doubted), RETRY, resend=resend,
                 random=lambda: 0.5)


def status(outcome: Outcome, **known: bool) -> RecipientStatus | None:
    """How it ends when all attempts are used up."""
    taken = step(outcome, tries=IN_PLACE_TRIES, history=History(3, RETRY.attempts, NOW - RETRY.within), **known)
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


def test_a_stopped_engine_ends_nobody() -> None:
    """Whatever is known of the recipient: the workflow's policy has the word, not this attempt."""
    for known in ({}, {"expired": True}, {"doubted": True}, {"resend": False}):
        assert step(EngineStopped("key", "revoked"), **known) == Stop("key: revoked")


def test_a_doubt_is_mailed_again_labelled_or_held() -> None:
    """The workflow's policy decides, and a resend says that it is doubted."""
    again = step(InDoubt("lost"), resend=True)
    assert isinstance(again, Again)
    assert again.doubted
    assert step(InDoubt("lost", "by peer"), resend=False) == End(RecipientStatus.IN_DOUBT, "lost: by peer")


def test_a_server_that_never_answers_fills_no_mailbox() -> None:
    """Only so many mails that may have arrived, however many attempts the workflow allows."""
    assert isinstance(step(InDoubt("lost"), history=History(0, MOST_RESENT - 1, NOW)), Again)
    assert step(InDoubt("lost"), history=History(0, MOST_RESENT, NOW)) == End(RecipientStatus.IN_DOUBT, "lost")


@given(st.sampled_from(OUTCOMES), st.integers(1, 10), st.floats(0, 3), st.integers(0, 10), st.integers(0, 10),
       st.floats(0, 10_000), st.booleans(), st.booleans(), st.booleans(), st.floats(0, 1))
def test_every_way_ends(outcome: Outcome, tries: int, waited: float, rounds: int, attempts: int, age: float,
                        expired: bool, doubted: bool, resend: bool, random: float) -> None:
    """A place is held for so many tries and seconds; put off is it only within the attempts and the time allowed."""
    so_far = SoFar(History(rounds, attempts, NOW - age), tries, waited, NOW, expired, doubted)
    taken = after(outcome, so_far, RETRY, resend=resend, random=lambda: random)
    match taken:
        case Again(delay, again_doubted):
            assert not expired
            assert again_doubted == isinstance(outcome, InDoubt)
            if again_doubted:
                assert resend
                assert attempts < MOST_RESENT
            else:
                assert outcome.retriable
                assert tries < IN_PLACE_TRIES
                assert isinstance(outcome, Throttled) or (
                    rounds == 0 and attempts < RETRY.attempts and waited + delay <= IN_PLACE_SECONDS)
        case Later(delay):
            assert outcome.retriable
            assert not expired
            assert isinstance(outcome, Throttled) or attempts < RETRY.attempts
            assert 0 < delay <= RETRY.longest
            assert age + delay <= RETRY.within + 1e-6
        case Stop():
            assert isinstance(outcome, EngineStopped)
        case End(end):
            assert (end is RecipientStatus.SENT) == isinstance(outcome, Accepted)
            assert not doubted or end in {RecipientStatus.SENT, RecipientStatus.IN_DOUBT}


def test_past_the_deadline_what_could_be_tried_again_expires() -> None:
    """Not failed: nobody refused this recipient. What was handed over before is in doubt all the same."""
    for outcome in PASSING:
        assert step(outcome, expired=True) == End(RecipientStatus.EXPIRED, reason_of(outcome))
        assert step(outcome, expired=True, doubted=True) == End(RecipientStatus.IN_DOUBT, reason_of(outcome))
    assert step(Accepted("1"), expired=True) == End(RecipientStatus.SENT)
    assert step(RecipientRejected("no"), expired=True) == End(RecipientStatus.FAILED, "no")


def test_beyond_the_second_in_place_it_is_put_off_and_the_wait_doubles_with_each_round() -> None:
    """Attempts in place do not use the backoff up: the first round waits the first backoff."""
    assert isinstance(step(Transient("busy"), tries=1), Again)
    delays = [taken.delay for rounds in range(4) if isinstance(
        taken := step(Transient("busy"), tries=IN_PLACE_TRIES, history=History(rounds, 3, NOW)), Later)]
    assert delays == pytest.approx([30 * 0.55, 60 * 0.55, 120 * 0.55, 120 * 0.55])
    assert isinstance(step(Transient("busy"), waited=0.99), Later)
    assert isinstance(step(Transient("busy"), tries=1, history=History(1, 2, NOW)), Later)


def test_attempts_and_age_are_bounds() -> None:
    """Used up, the last refusal is the reason."""
    assert step(Transient("busy"), history=History(2, RETRY.attempts, NOW)) == End(RecipientStatus.FAILED, "busy")
    old = History(2, 2, NOW - RETRY.within)
    for outcome in PASSING:
        assert step(outcome, tries=IN_PLACE_TRIES, history=old) == End(RecipientStatus.FAILED, outcome.reason)


def test_throttled_is_not_given_up_for_the_time_its_engine_paused() -> None:
    """The pause is the engine's, a minute long perhaps; after some in a row it leaves its place to others."""
    assert step(Throttled("slow"), waited=100) == Again(0.0)
    used_up = History(1, RETRY.attempts, NOW)
    assert isinstance(step(Throttled("slow"), tries=IN_PLACE_TRIES, history=used_up), Later)


def test_the_backoff_in_place_doubles_and_is_full_jitter() -> None:
    """Between nothing and twice as long as the last time."""
    longest = [backoff(attempts, lambda: 1.0) for attempts in (1, 2, 3, 4)]
    assert longest == [0.1, 0.2, 0.4, 0.8]
    assert backoff(4, lambda: 0.0) == 0


def test_reasons_and_ends_of_the_unsent() -> None:
    """A reason is one line; what may be out is never called expired or skipped."""
    assert reason_of(Accepted("1")) == ""
    assert reason_of(Transient("busy", "come back")) == "busy: come back"
    assert unsent(RecipientStatus.EXPIRED, "deadline", doubted=False) == End(RecipientStatus.EXPIRED, "deadline")
    assert unsent(RecipientStatus.EXPIRED, "deadline", doubted=True) == End(RecipientStatus.IN_DOUBT, "deadline")
