"""The book against a plain model: hypothesis chooses the order, the repetitions and who was the writer."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_stream.domain.events import RunInitializing, RunPlanReported
from outreach_stream.domain.states import SENDING_ENDS, RecipientStatus, RunState
from outreach_stream.runs.book import Book
from outreach_stream.runs.results import read_result

NOW = 1_790_000_000.0
ENDS = [status for status in SENDING_ENDS if status is not RecipientStatus.CANCELLED]

told = st.lists(st.tuples(st.sampled_from(ENDS), st.booleans()), min_size=1, max_size=3)
cancelled = st.just([(RecipientStatus.CANCELLED, False)])
people = st.dictionaries(st.tuples(st.integers(0, 2), st.integers(0, 1023)), told | cancelled, min_size=1, max_size=12)


@st.composite
def histories(draw):
    """Recipients with what is told of each, in which order, and which of two writers hears it (or both)."""
    recipients = draw(people)
    things = [(who, *what) for who, results in recipients.items() for what in results]
    things = draw(st.permutations(things + draw(st.lists(st.sampled_from(things), max_size=8))))
    places = sorted(draw(st.lists(st.integers(0, len(things)), min_size=3, max_size=3)))
    for place, event in zip(reversed(places), ("planned", "initializing", "requested"), strict=True):
        things.insert(place, event)
    hearers = st.sampled_from(["a", "b", "ab"])
    outcome = draw(st.sampled_from(["complete", "incomplete", "given up", "cancelled"]))
    if outcome == "given up":
        things.insert(draw(st.integers(0, len(things))), "given up")
    return recipients, [(thing, draw(hearers)) for thing in things], outcome


def strongest(results):
    return min((status for status, _ in results), key=SENDING_ENDS.index)


def expected(recipients, outcome):
    ends = {who: strongest(results) for who, results in recipients.items()}
    counts = {status.value: sum(end is status for end in ends.values()) for status in SENDING_ENDS}
    counts["possible_duplicates"] = sum(
        end is RecipientStatus.SENT and any(doubted for _, doubted in recipients[who]) for who, end in ends.items())
    ended = RunState.CANCELLED if counts["cancelled"] else RunState.COMPLETED
    return counts, {"complete": ended, "incomplete": RunState.SENDING, "given up": RunState.FAILED,
                    "cancelled": RunState.CANCELLED}[outcome]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_any_history_ends_as_the_model_says(memory_table, requested, result, history):
    """Two writers hear parts of the events and results; their copies together give the model's state and counts.

    The third one is the next owner: it has both copies, and hears the last things again, as after a crash. The plan
    may be that of a cancelled run, or one recipient more than ever ends, for whom the run waits until it is given up.
    """
    recipients, things, outcome = history
    run = requested()
    plan = {"total": 0, "cancelled": True} if outcome == "cancelled" else {
        "total": len(recipients) + (outcome != "complete")}
    events = {"requested": run, "initializing": RunInitializing(run_id=run.run_id, at=NOW + 1),
              "planned": RunPlanReported(run_id=run.run_id, at=NOW + 2, **plan)}

    def tell(book, offset, thing):
        if thing == "given up":
            touched = book.give_up([run.run_id])
        elif isinstance(thing, str):
            touched = book.apply([events[thing]])
        else:
            (chunk, index), status, doubted = thing
            value = result(index, chunk, status=status, possible_duplicate=doubted).encode()
            touched = book.count([read_result(value, offset)])
        asyncio.run(written(book, touched))

    async def written(book, touched):
        await asyncio.gather(*book.write(touched))
        book.forget(touched)

    stores = {name: ({}, {}) for name in "ab"}
    books = {name: new_book(memory_table, stores[name], name.encode()) for name in "ab"}
    for offset, (thing, hearers) in enumerate(things):
        for name in hearers:
            tell(books[name], offset, thing)
    both = [{**stores["a"][table], **stores["b"][table]} for table in (0, 1)]
    heir = new_book(memory_table, both, b"c")
    for offset, (thing, _) in list(enumerate(things))[-2:]:
        tell(heir, offset, thing)

    status, (counts, state) = heir.status(run.run_id), expected(recipients, outcome)
    assert {name: getattr(status.counts, name) for name in counts} == counts
    assert status.state is state
    offsets = {offset for offset, (thing, _) in enumerate(things) if not isinstance(thing, str)}
    covered = [range(tally.first, tally.last + 1) for _, tally in heir.tallies(run.run_id)]
    assert all(any(offset in span for span in covered) for offset in offsets)


def new_book(memory_table, stores, writer):
    return Book(0, memory_table(stores[0], writer), memory_table(stores[1], writer), lambda: NOW + 60)
