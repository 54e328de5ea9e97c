"""What all events have in common: JSON, frozen, versioned; a newer writer's unknown fields are ignored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Event(BaseModel):
    """What all events have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")
    schema_version: Literal[1] = Field(1, description="What its fields mean: an event of another version is refused.")

    def encode(self) -> bytes:
        """The bytes on the wire; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True).encode()
