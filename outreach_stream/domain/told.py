"""A `SendResult` as a sender writes it: for every mail, and so without making the model and dumping it."""

from dataclasses import dataclass, fields
from operator import attrgetter

import orjson

from outreach_stream.domain.events import SendResult
from outreach_stream.domain.states import RecipientStatus


@dataclass(slots=True)
class Told:
    """The fields of `SendResult`, in its order; see there. What is given is not checked: it was when it came in."""

    run_id: str
    send_id: str
    chunk: int
    index: int
    email: str
    status: RecipientStatus
    reason: str | None
    engine: str
    message_id: str | None
    provider_message_id: str | None
    attempts: int
    possible_duplicate: bool
    recovered: bool
    started_at: str | None
    finished_at: str

    def encode(self) -> bytes:
        """The bytes that `SendResult.encode` would make of it, which a test compares."""
        given = {name: value for name, value in zip(_NAMES, _values(self), strict=True) if value is not None}
        try:
            return orjson.dumps({"schema_version": 1, **given})
        except TypeError:   # a number beyond 64 bits: no request of ours has one, but whoever sends one gets an answer
            return SendResult.model_construct(**given).encode()


_NAMES = [field.name for field in fields(Told)]
_values = attrgetter(*_NAMES)
