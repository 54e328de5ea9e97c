"""Deterministic ids: the same trigger, however often and by whomever it is published, is the same run."""

import zlib
from datetime import UTC, datetime
from uuid import UUID, uuid5

RUN_NAMESPACE = UUID("6f3d1c52-0a7e-5b0f-9d3a-4f6f1c2b7e11")
CHUNK_SIZE = 1024
"""Recipients in a full chunk, and bits in a map of one chunk."""


def canonical_workflow_id(workflow_id: int | str) -> str:
    """`1` and `"1"` (and `" 1 "`) are one workflow."""
    return str(workflow_id).strip()


def canonical_time(moment: datetime) -> str:
    """One spelling for one instant: UTC, to the second (or microsecond if it has any); a naive time is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def run_id(workflow_id: int | str, *, slot: datetime | None, key: str | None, trigger_id: str) -> str:
    """Id of the run that a trigger asks for: by its slot, else its idempotency key, else the trigger itself.

    A trigger that names both a slot and a key is deduplicated by its slot: that is the narrower promise.
    """
    if slot is not None:
        occasion = f"slot:{canonical_time(slot)}"
    elif key is not None:
        occasion = f"key:{key}"
    else:
        occasion = f"trigger:{trigger_id}"
    return str(uuid5(RUN_NAMESPACE, f"{canonical_workflow_id(workflow_id)}\0{occasion}"))


def partition_of(key: str, partitions: int) -> int:
    """crc32(key) mod n: the partition of a run or an engine, the same in every language and version."""
    return zlib.crc32(key.encode()) % partitions


def send_id(run: str, chunk: int, index: int) -> str:
    """Id of one recipient's mail within a run; the same for every attempt."""
    return f"{run}:{chunk}:{index}"


def message_id(run: str, chunk: int, index: int, domain: str) -> str:
    """Message-ID of a mail (RFC 5322, section 3.6.4), the same for every attempt, so that relays may dedupe on it."""
    return f"<{run}.{chunk}.{index}@{domain}>"


def lane_of(run: str, chunk: int, index: int, lanes: list[int]) -> int:
    """The lane (partition of `send.requested`) of one recipient: a pure function, so that it always meets its record.

    Neighbours go to neighbouring lanes, so that a slice of a run uses all lanes of its engine evenly.
    """
    return lanes[(zlib.crc32(f"{run}:{chunk}".encode()) + index) % len(lanes)]


def lanes_of_engine(engine: str, partitions: int, count: int) -> list[int]:
    """The lanes of an engine: `count` neighbouring partitions, beginning at one that its id determines."""
    first = partition_of(engine, partitions)
    return sorted((first + i) % partitions for i in range(min(count, partitions)))
