"""A `SendResult` as a sender writes it: for every mail, and so without making the model and dumping it."""

from dataclasses import dataclass
from typing import Any

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
        given: dict[str, Any] = {
            "schema_version": 1, "run_id": self.run_id, "send_id": self.send_id, "chunk": self.chunk,
            "index": self.index, "email": self.email, "status": self.status}
        if self.reason is not None:
            given["reason"] = self.reason
        given["engine"] = self.engine
        if self.message_id is not None:
            given["message_id"] = self.message_id
        if self.provider_message_id is not None:
            given["provider_message_id"] = self.provider_message_id
        given["attempts"] = self.attempts
        given["possible_duplicate"] = self.possible_duplicate
        given["recovered"] = self.recovered
        if self.started_at is not None:
            given["started_at"] = self.started_at
        given["finished_at"] = self.finished_at
        try:
            # Copied: `orjson.dumps` returns bytes that keep 4 KiB, and hundreds of results wait together.
            return b"%b" % orjson.dumps(given)
        except TypeError:   # a number beyond 64 bits: no request of ours has one, but whoever sends one gets an answer
            return SendResult.model_construct(**given).encode()
