"""Outcomes: what they promise to policy, and to people's privacy."""

from typing import get_args

import pytest

from outreach_stream.domain.outcomes import DETAIL_LIMIT, Accepted, InDoubt, Outcome, Refusal, Transient, masked
from outreach_stream.domain.states import RecipientStatus

FAILURES = get_args(Refusal.__value__)


@pytest.mark.parametrize("text", [
    "550 5.1.1 <joe.doe@mail.example>: Recipient address rejected",
    "user joe.doe@mail.example unknown", "(joe.doe@mail.example) has no account", "to=joe.doe@mail.example,",
    'no mailbox "joe.doe"@mail.example', "see https://help.example/?p=joe.doe%40mail.example",
    "bounces+joe.doe+40mail.example@relay.example", "TO:<joe.doe=mail.example@relay.example>",
    "joe.doe@[192.0.2.7]", "No such user joe.doe here", "JOE.DOE is over quota", "joe.doe\r\n@\r\njoe.doe@mail.example",
])
def test_no_outcome_carries_an_address(text):
    """However a provider writes the address it refuses, nobody reads it in an outcome."""
    detail = masked(text, "joe.doe")
    for shown in (detail, repr(Transient(detail, detail)), repr(Accepted(None, detail))):
        assert "joe" not in shown.lower()


def test_masking_needs_no_engines_help():
    """An engine that forgets to mask cannot leak an address either."""
    assert "joe" not in repr(Transient("x", "no joe@mail.example")) + repr(Accepted(None, "ok joe@mail.example"))


@pytest.mark.parametrize("word", ["joe." * 100 + "@mail.example", "see:https://h.example/" + "joe/" * 100 + "@x"])
def test_a_word_of_any_length_is_masked_whole(word):
    """However long it is before the @."""
    assert "joe" not in masked(f"no {word} here")


def test_a_detail_is_one_short_line():
    """A provider that sends a novel fills neither logs nor topics, and cannot forge a line of a log."""
    detail = Transient("x", "line\r\nline " + "x" * 10_000).detail
    assert "\n" not in detail
    assert len(detail) <= DETAIL_LIMIT


def test_only_what_was_surely_not_accepted_is_retried():
    """Retriable outcomes have no final status, and doubt is never retried without asking the policy."""
    assert {kind.__name__ for kind in FAILURES if kind.retriable} == {"Transient", "Throttled"}
    assert all(kind.final_status is None for kind in FAILURES if kind.retriable)
    assert not InDoubt.retriable
    assert {kind.__name__ for kind in FAILURES if not kind.costs_attempt} == {"Throttled", "EngineStopped"}


def test_every_outcome_says_what_happens_next():
    """Each either ends the recipient, or is tried again, or has stopped the engine."""
    for kind in FAILURES:
        assert kind.final_status in (RecipientStatus.FAILED, RecipientStatus.IN_DOUBT) or kind.retriable \
            or kind.fuse == "tripped"
    assert set(get_args(Outcome.__value__)) == {Accepted, Refusal}
