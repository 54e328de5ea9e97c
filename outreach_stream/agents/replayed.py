"""The recipients of an earlier run, as its chunks froze them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import batched
from typing import Any

from outreach_stream.dispatch.ports import CannotPlan, ChunkGone, ChunkReader, Decided, People
from outreach_stream.dispatch.requests import Snapshot, read_chunk
from outreach_stream.domain.chunks import ReplayedChunk
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.triggers import Replay
from outreach_stream.recipients.intake import Intake, Recipient

PAGE = 500
"""Recipients decided on between two chances for others in the loop."""


async def replayed(run: RunRequested, replay: Replay, intake: Intake, chunks: ChunkReader) -> People:
    """Those of the earlier run whom `run.chunks` names, a chunk at a time; what goes wrong is a `CannotPlan`.

    The chunks of a run have the same columns, those of its query.
    """
    if not run.chunks:
        raise CannotPlan(f"nobody of run {replay.run_id} ended as {' or '.join(replay.statuses)}")
    columns = (await _read(replay.run_id, run.chunks[0], chunks)).columns

    async def pages() -> AsyncIterator[Sequence[Decided]]:
        for place in run.chunks:
            snapshot = await _read(replay.run_id, place, chunks)
            for indexes in batched(_indexes(place.indexes), PAGE, strict=False):
                yield [_decide(intake, snapshot, index, columns) for index in indexes]
                await asyncio.sleep(0)

    return People(columns, pages())


def decided(intake: Intake, email: object, name: object, variables: dict[str, Any], *, doubted: bool) -> Decided:
    """What `intake` makes of a recipient who may have got the mail already."""
    decision = intake.decide(email, name, variables)
    return (*decision, True) if doubted and isinstance(decision, Recipient) else decision


def _decide(intake: Intake, snapshot: Snapshot, index: int, columns: Sequence[str]) -> Decided:
    email, name, *values = snapshot.rows[index]
    brought = dict(zip(snapshot.columns, values, strict=True))
    variables = {column: brought.get(column) for column in columns}
    return decided(intake, email, name, variables, doubted=index in snapshot.doubted)


async def _read(run_id: str, place: ReplayedChunk, chunks: ChunkReader) -> Snapshot:
    """The chunk, with the doubts that the earlier run left."""
    try:
        snapshot = read_chunk(await chunks.read(run_id, place.offset), run_id, place.chunk)
        _check(place, snapshot)
        return snapshot._replace(doubted=frozenset(_indexes(place.doubted)))
    except ChunkGone as error:
        raise CannotPlan(f"the recipients of run {run_id} are not kept any more: {error}") from error
    except TimeoutError as error:
        raise CannotPlan(f"the recipients of run {run_id} cannot be read now", retriable=True) from error
    except (ValueError, LookupError, TypeError) as error:
        raise CannotPlan(f"chunk {place.chunk} of run {run_id} cannot be read: {error}") from error


def _check(place: ReplayedChunk, snapshot: Snapshot) -> None:
    if max(_indexes(place.indexes), default=-1) >= len(snapshot.rows):
        raise ValueError(f"it has {len(snapshot.rows)} recipients, and others are asked for")


def _indexes(bits: str) -> Iterator[int]:
    """The places of the bits that are set in a hexadecimal integer."""
    chosen = int(bits, 16)
    return (index for index in range(chosen.bit_length()) if chosen >> index & 1)
