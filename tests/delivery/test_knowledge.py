"""What is usual: one question, asked for each mail, in place of all that is asked where something is the matter."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.item import NEW, History, Item
from outreach_stream.delivery.knowledge import NO_CAPS, Knowledge
from outreach_stream.delivery.quota import Caps
from outreach_stream.delivery.sent import marks_key, moves_key
from outreach_stream.delivery.standing import Go
from outreach_stream.domain.control import Control, RunOrder, Subject, control_key
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.policy import Policy, Route
from outreach_stream.domain.ports import Brief

from .conftest import NOW, RUN, FakeBatch, request
from .fakes import PlainComposer

ROUTES = [Route("e", [0]), Route("b", [1])]
POLICIES = [Policy(), Policy(in_doubt="hold"), Policy(routes=ROUTES), Policy(routes=ROUTES[::-1]),
            Policy(unsubscribe="news"), Policy(on_engine_stopped="fail")]
NOTHING = st.just(False)
RARELY = st.one_of(NOTHING, NOTHING, NOTHING, st.booleans())
"""So that often nothing is the matter, and often one thing only."""


@given(marked=st.one_of(st.just(()), st.lists(st.sampled_from(Mark), max_size=2)),
       ordered=st.sampled_from([None, None, "cancel", "pause"]), stopped=st.sampled_from([None, None, "key"]),
       policy=st.sampled_from(POLICIES),
       given_so=st.fixed_dictionaries({"express": st.booleans(), **dict.fromkeys(
           ("moved", "maybe", "left", "capped", "again", "own"), RARELY)}),
       fields=st.fixed_dictionaries({}, optional={
           "skip": st.just("bounced"), "doubted": st.just(True), "due": st.sampled_from([NOW - 1, NOW, NOW + 1]),
           "deadline": st.sampled_from([NOW, NOW + 1])}))
def test_usual_is_what_goes_at_once_by_all_the_other_questions(
        marked: list[Mark], ordered: str | None, stopped: str | None, policy: Policy, given_so: dict[str, bool],
        fields: dict[str, object]) -> None:
    """Nothing is on record of it, nothing ordered, nobody says that it may have been sent, and it need not wait."""
    it = SimpleNamespace(**given_so)
    asked = request(0, **fields)
    record: defaultdict[bytes, Marks] = defaultdict(Marks)
    for mark in marked:
        record[marks_key(RUN, asked.chunk)].set(mark, asked.index)
    record[marks_key(RUN, asked.chunk)].set(Mark.SENT, asked.index + 1)
    if it.moved:
        record[moves_key("e", RUN, asked.chunk)].set(Mark.MOVED, asked.index)
    control = Control()
    if ordered:
        control.note(control_key(Subject("run", RUN), ordered), RunOrder(at=NOW).encode())  # type: ignore[arg-type]
    parts = SimpleNamespace(
        record=SimpleNamespace(marks=lambda key: record[key]), control=control,
        quota=SimpleNamespace(caps=Caps(hourly=5) if it.capped else NO_CAPS), unsubscribed=lambda *_: it.left,
        delivery=SimpleNamespace(clock=lambda: NOW, express=it.express, desk=SimpleNamespace(stopped=stopped)))
    knowledge = Knowledge(cast("Any", parts), cast("Any", SimpleNamespace(maybe_sent=lambda _: it.maybe)))
    history = History(rounds=1) if it.again else NEW
    item = Item(FakeBatch(1, []), 0, None if it.own else 7, asked, history, due=asked.due)
    brief = Brief(PlainComposer(), policy)

    facts = knowledge.facts(item, brief)
    goes = isinstance(knowledge.standing(item, facts, brief), Go) and item.due <= NOW and not it.capped
    new = not (marked or facts.doubted or facts.moved or it.again or it.own)
    assert knowledge.usual(item, brief) is (goes and new)
