"""Requests, as they are made from a chunk."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.dispatch.chunking import Chunker
from outreach_stream.dispatch.requests import Snapshot, by_lane, read_chunk, requests_of
from outreach_stream.domain.events import RunPlanned, SendRequested


def planned(**changes: Any) -> RunPlanned:
    """The plan of a run."""
    return RunPlanned(**{"run_id": "run", "plan_id": "plan", "engine": "relay", "lanes": [1, 2, 3], "spec": "d",
                         "weight": 1.0, "chunks": [0], "deadline": 60.25, "total": 20, "skipped": 0, "planned_at": 0,
                         **changes})


def test_doubts_go_on_with_their_recipients() -> None:
    """Whoever may have been mailed is requested as such, and nobody else."""
    chunker = Chunker("run", "plan", ["n"])
    for n in range(20):
        chunker.add(f"p{n}@x.org", None, [n], doubted=n in {3, 4, 19})
    plan = planned()
    snapshot = read_chunk(chunker.close(), "run", 0)

    requests = [SendRequested.model_validate_json(value) for values in requests_of(plan, 0, snapshot, 4, 20).values()
                for value in values]

    assert sorted(request.index for request in requests) == list(range(4, 20))
    assert {request.index for request in requests if request.doubted} == {4, 19}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (st.none() | st.booleans() | st.integers(-2**63, 2**63 - 1) | TEXTS
           | st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(
    "ab%", max_size=2), inner, max_size=2), max_leaves=4)
NAMES = st.text('abc%d"\n{', min_size=1, max_size=4)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any chunk: one or no column, strange names, values of any kind, some recipients in doubt."""
    columns = draw(st.lists(NAMES, unique=True, max_size=3))
    row = st.tuples(st.text("a@%", min_size=1), st.none() | st.text("N%\n,"), *[VALUES] * len(columns)).map(list)
    rows = draw(st.lists(row, min_size=1, max_size=9))
    return Snapshot(columns, rows, draw(st.frozensets(st.integers(0, len(rows) - 1))))


@given(snapshots(), st.dictionaries(NAMES, VALUES, max_size=2), st.sampled_from([0.0, 50.5]), st.data())
def test_a_request_says_what_the_chunk_and_the_plan_say(
    snapshot: Snapshot, parameters: dict[str, Any], due: float, data: st.DataObject,
) -> None:
    """Every field is what it was, in the lane of the recipient; columns go before the run's parameters."""
    start = data.draw(st.integers(0, len(snapshot.rows)))
    stop = data.draw(st.integers(start, len(snapshot.rows)))
    plan = planned(parameters=parameters, spec="100%d")

    found = requests_of(plan, 7, snapshot, start, stop, due)

    def expected(index: int) -> dict[str, Any]:
        email, name, *values = snapshot.rows[index]
        return {"schema_version": 1, "run_id": "run", "spec": "100%d", "engine": "relay", "deadline": 60.25, "chunk": 7,
                "index": index, "email": email, "name": name,
                "variables": {**parameters, **dict(zip(snapshot.columns, values, strict=True))},
                **({"due": due} if due else {}), **({"doubted": True} if index in snapshot.doubted else {})}

    assert {lane: list(map(orjson.loads, values)) for lane, values in found.items()} == {
        lane: list(map(expected, indexes)) for lane, indexes in by_lane("run", 7, start, stop, [1, 2, 3]).items()}


def test_a_row_that_does_not_fit_its_columns_shifts_nothing_into_the_next() -> None:
    """It is refused, even where the next one makes up for it."""
    snapshot = Snapshot(["n"], [["a@x.org", "A"], ["b@x.org", "B", 1, 2]])

    with pytest.raises(ValueError, match="a row of the chunk has not 3 fields"):
        requests_of(planned(), 0, snapshot, 0, 2)
