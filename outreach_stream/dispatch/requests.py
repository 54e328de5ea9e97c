"""Requests, one per recipient, made from a chunk and sorted into lanes."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, count
from typing import Any, NamedTuple

import orjson

from outreach_stream.domain.events import RunPlanned
from outreach_stream.domain.identity import lane_of


class Snapshot(NamedTuple):
    """The part of a chunk that requests are made of."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    doubted: Collection[int] = frozenset()


def read_chunk(data: bytes, run_id: str, number: int) -> Snapshot:
    """The recipients in an encoded chunk; raises `ValueError` if it is not the run's chunk of this number.

    Decoded without the model: we wrote it ourselves, and a million rows pass here.
    """
    chunk = orjson.loads(data)
    if chunk["run_id"] != run_id or chunk["chunk"] != number:
        raise ValueError(f"chunk {chunk['chunk']} of run {chunk['run_id']} lies where {number} of {run_id} should")
    return Snapshot(chunk["columns"], chunk["rows"], frozenset(chunk.get("doubted", ())))


def lanes_from(run_id: str, chunk: int, index: int, lanes: list[int]) -> list[int]:
    """The lanes of the recipients from `index` on: one round, which repeats itself."""
    return [lane_of(run_id, chunk, at, lanes) for at in range(index, index + len(lanes))]


def by_lane(run_id: str, chunk: int, start: int, stop: int, lanes: list[int]) -> dict[int, range]:
    """The recipients `start` to `stop` by lane, in order: `lane_of` repeats itself after as many as there are lanes."""
    step = len(lanes)
    return {lane_of(run_id, chunk, first, lanes): range(first, stop, step)
            for first in range(start, min(start + step, stop))}


def requests_of(
    plan: RunPlanned, number: int, snapshot: Snapshot, start: int, stop: int, due: float = 0.0,
) -> Mapping[int, Sequence[bytes]]:
    """Encoded `SendRequested` events for the recipients `start` to `stop` of a chunk, by lane; `due`: if not yet.

    Raises `ValueError` if a row does not fit the columns.
    """
    columns, rows, doubted = snapshot
    people = rows[start:stop]
    event = _Event(plan, number, columns, due).encoded(people, start)
    for index in doubted:
        if start <= index < start + len(people):
            event[index - start] = event[index - start][:-1] + b',"doubted":true}'
    return {lane: event[indexes.start - start:indexes.stop - start:indexes.step]
            for lane, indexes in by_lane(plan.run_id, number, start, stop, plan.lanes).items()}


class _Event:
    """The JSON of a chunk's requests with gaps for what differs: the index, and each field of a recipient's row."""

    def __init__(self, plan: RunPlanned, number: int, columns: Sequence[str], due: float) -> None:
        shared: dict[str, Any] = {"schema_version": 1, "run_id": plan.run_id, "spec": plan.spec, "engine": plan.engine,
                                  "deadline": plan.deadline, "chunk": number} | ({"due": due} if due else {})
        own = {name: value for name, value in plan.parameters.items() if name not in columns}
        head, given = _literal(orjson.dumps(shared)[:-1]), [_literal(orjson.dumps(own)[1:-1])] if own else []
        variables = b",".join([*given, *(_literal(orjson.dumps(column)) + b":%b" for column in columns)])
        self._text = b'%b,"index":%%d,"email":%%b,"name":%%b,"variables":{%b}}' % (head, variables)
        self._width = 2 + len(columns)

    def encoded(self, people: Sequence[Sequence[Any]], first: int) -> list[bytes]:
        """A request for each, with indexes from `first` on."""
        if any(len(row) != self._width for row in people):
            raise ValueError(f"a row of the chunk has not {self._width} fields, as its columns say")
        fields = iter(_each_encoded(list(chain.from_iterable(people))))
        return list(map(self._text.__mod__, zip(count(first), *[fields] * self._width, strict=False)))


def _literal(text: bytes) -> bytes:
    """As it has to stand in a text that `%` fills."""
    return text.replace(b"%", b"%%")


def _each_encoded(values: list[Any]) -> list[bytes]:
    """Each value as JSON: encoded all at once, one to a line, which takes a third of the time.

    A line ends nowhere within text, where JSON escapes it. Lists and mappings have lines of their own: then there are
    too many.
    """
    lines = orjson.dumps(values, option=orjson.OPT_INDENT_2)[len(b"[\n  "):-len(b"\n]")].split(b",\n  ")
    return lines if len(lines) == len(values) else [orjson.dumps(value) for value in values]
