"""What is read of a `send.result` on the hot path: the cheapest reading that still refuses what is wrong."""

from dataclasses import dataclass

import orjson

from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.domain.marks import MARK_OF, Mark


@dataclass(slots=True)
class Result:
    """One recipient's end, as far as counting needs it."""

    run_id: str
    chunk: int
    index: int
    mark: Mark
    possible_duplicate: bool
    offset: int
    """Its place in the partition."""


class MalformedResultError(ValueError):
    """The bytes are no `SendResult`; the message says why, without repeating an address."""


def read_result(value: bytes | None, offset: int) -> Result:
    """The result in `value`; raises `MalformedResultError`."""
    try:
        body = orjson.loads(value or b"")
        mark = MARK_OF.get(body["status"])
        if mark is None:
            raise MalformedResultError("its status is unknown here")
        run_id, chunk, index = body["run_id"], body["chunk"], body["index"]
        doubted = body.get("possible_duplicate") is True
    except orjson.JSONDecodeError:
        raise MalformedResultError("not JSON") from None
    except KeyError as error:
        raise MalformedResultError(f"{error} is missing") from None
    except (TypeError, AttributeError):
        raise MalformedResultError("not an object of the right fields") from None
    if body.get("schema_version", 1) != 1:
        raise MalformedResultError("its schema_version is unknown here: 1 is read")
    if type(run_id) is not str or type(body.get("email")) is not str:
        raise MalformedResultError("run_id and email must be text")
    if ":" in run_id:               # what is kept of a run's chunks is found by `run:chunk`
        raise MalformedResultError("run_id must not contain a colon")
    if type(chunk) is not int or chunk < 0:
        raise MalformedResultError("chunk must be a whole number, 0 or more")
    if type(index) is not int or not 0 <= index < CHUNK_SIZE:
        raise MalformedResultError(f"index must be a whole number below {CHUNK_SIZE}")
    return Result(run_id, chunk, index, mark, doubted, offset)
