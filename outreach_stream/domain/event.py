"""What all events have in common: JSON, frozen, versioned; a newer writer's unknown fields are ignored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """What all events have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")
    schema_version: Literal[1] = 1

    def encode(self) -> bytes:
        """The bytes on the wire; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True).encode()
