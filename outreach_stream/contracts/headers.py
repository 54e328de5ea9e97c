"""The headers of public records, as models to make schemas of: what writes and reads them is in `agents`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from outreach_stream.domain.clock import Stamp

_Number = Annotated[str, Field(pattern="^[0-9]+$")]


class CloudEventHeaders(BaseModel):
    """CloudEvents 1.0 in binary mode (its Kafka protocol binding, section 3.2): each value is UTF-8 text."""

    specversion: Literal["1.0"] = Field(alias="ce_specversion")
    id: str = Field(alias="ce_id")
    type: str = Field(alias="ce_type")
    source: str = Field(alias="ce_source")
    time: Stamp = Field(alias="ce_time")
    content_type: Literal["application/json"] = Field(alias="content-type")


class TriggerHeaders(BaseModel):
    """None is needed, and none but this one is read; those of CloudEvents are welcome."""

    id: Annotated[str, Field(max_length=255)] | None = Field(
        None, alias="ce_id", description="The trigger's id, if the value has no `trigger_id`.")


class DeadLetterHeaders(BaseModel):
    """Added in this order after the record's own headers; each value is UTF-8 text."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    source_topic: str
    """The topic in which it could not be read."""
    source_partition: _Number
    source_offset: _Number
    reason: Annotated[str, Field(max_length=1_000)]
    """Why it could not be read. Addresses in it are masked."""
    truncated: Literal["true"] | None = None
    """It was too large: only the beginning of its value is here, without its key and its own headers."""


def cloud_headers_of(name: str, event_type: str, *, event_id: str, source: str) -> type[BaseModel]:
    """The headers of one type of event; `event_id` and `source` say what its id and its source are."""
    fields: dict[str, tuple[object, object]] = {
        "type": (Literal[event_type], Field(alias="ce_type")),      # pydantic keeps the order of the base
        "id": (str, Field(alias="ce_id", description=event_id)),
        "source": (str, Field(alias="ce_source", description=source))}
    return create_model(name, __base__=CloudEventHeaders, __doc__=CloudEventHeaders.__doc__, **fields)  # type: ignore[call-overload, no-any-return]
