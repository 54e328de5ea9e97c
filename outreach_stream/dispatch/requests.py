"""Requests, one per recipient, made from a chunk and sorted into lanes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import cycle
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


def lanes_from(run_id: str, chunk: int, index: int, lanes: list[int]) -> Iterator[int]:
    """The lanes of the recipients from `index` on, without end."""
    return cycle([lane_of(run_id, chunk, at, lanes) for at in range(index, index + len(lanes))])


def by_lane(run_id: str, chunk: int, start: int, stop: int, lanes: list[int]) -> dict[int, range]:
    """The recipients `start` to `stop` by lane, in order: `lane_of` repeats itself after as many as there are lanes."""
    step = len(lanes)
    return {lane_of(run_id, chunk, first, lanes): range(first, stop, step)
            for first in range(start, min(start + step, stop))}


def requests_of(
    plan: RunPlanned, number: int, snapshot: Snapshot, start: int, stop: int, due: float = 0.0,
) -> Mapping[int, Sequence[bytes]]:
    """Encoded `SendRequested` events for the recipients `start` to `stop` of a chunk, by lane; `due`: if not yet."""
    event: dict[str, Any] = {"schema_version": 1, "run_id": plan.run_id, "spec": plan.spec, "engine": plan.engine,
                             "deadline": plan.deadline, "chunk": number} | ({"due": due} if due else {})
    columns, rows, doubted = snapshot
    parameters, encode = plan.parameters, orjson.dumps

    def request(index: int) -> bytes:
        email, name, *values = rows[index]
        event["index"], event["email"], event["name"] = index, email, name
        event["variables"] = {**parameters, **dict(zip(columns, values, strict=True))}
        return encode(event | {"doubted": True}) if index in doubted else encode(event)

    return {lane: [request(index) for index in indexes]
            for lane, indexes in by_lane(plan.run_id, number, start, stop, plan.lanes).items()}
