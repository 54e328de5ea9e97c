"""Recipients who become due at different times: each chunk waits as a whole, and nobody is lost."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.dispatch.cutting import Cutter
from outreach_stream.domain.events import RunChunk

PEOPLE = st.lists(st.one_of(
    st.tuples(st.just("p@example.org"), st.just(""), st.fixed_dictionaries({"at": st.integers(1, 5)})),
    st.tuples(st.just("out@example.org"), st.just("duplicate")),
), max_size=50)


def at_of(variables: dict) -> float:
    return float(variables["at"])


@given(PEOPLE, st.integers(1, 120))
def test_every_chunk_is_due_at_one_moment(people: list, repeat: int) -> None:
    """Whoever goes in comes out once, in a chunk of those who are due with them; the moments are in order."""
    cutter = Cutter("run", "plan", ["at"], at_of)
    encoded = [chunk for _ in range(repeat) for chunk in cutter.cut(people)] + list(cutter.close())
    chunks, due = [RunChunk.model_validate_json(chunk) for chunk in encoded], cutter.due()

    assert [chunk.chunk for chunk in chunks] == list(range(len(chunks)))
    assert sorted(number for group in due for number in group.chunks) == list(range(len(chunks)))
    assert [group.at for group in due] == sorted({group.at for group in due})
    for group in due:
        rows = [row for number in group.chunks for row in chunks[number].rows]
        assert {row[2] for row in rows} <= {group.at}
        assert (len(rows), group.chunks) == (group.recipients, sorted(group.chunks))
    mailed = [person for person in people if len(person) == 3]
    assert (cutter.total, cutter.skipped) == (len(mailed) * repeat, (len(people) - len(mailed)) * repeat)
    assert sum(len(chunk.rows) for chunk in chunks) == cutter.total
    assert sum(len(chunk.skipped) for chunk in chunks) == cutter.skipped


def test_without_local_times_all_is_due_at_once() -> None:
    """One row of chunks, and nothing to say about it; a recipient keeps their doubt."""
    cutter = Cutter("run", "plan", ["at"])
    [chunk] = [*cutter.cut([("a@example.org", "A", {"at": 1}), ("b@example.org", "", {"at": 2}, True)]),
               *cutter.close()]

    assert RunChunk.model_validate_json(chunk).doubted == [1]
    assert cutter.due() == []


def test_memory_is_one_open_chunk_for_each_moment() -> None:
    """However many recipients: 40 moments hold no more than their chunks, each as large as it will be stored."""
    cutter = Cutter("run", "plan", ["at", "text"], at_of)
    tracemalloc.start()
    for start in range(0, 50_000, 500):
        cutter.cut([(f"p{n}@example.org", "", {"at": n % 40, "text": "x" * 40}) for n in range(start, start + 500)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert cutter.total == 50_000
    assert peak < 40 * 1_024 * 100 * 1.5
