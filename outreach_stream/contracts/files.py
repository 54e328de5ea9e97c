"""The generated files of `docs/events/`."""

import json
from collections.abc import Mapping
from pathlib import Path

from outreach_stream.contracts.asyncapi import document
from outreach_stream.contracts.published import PUBLISHED
from outreach_stream.contracts.schemas import DIALECT, schema_of

FOLDER = Path("docs/events")
"""Relative to the project."""


def files() -> Mapping[str, str]:
    """All of them by name, as they are made of the models now."""
    schemas = {f"{each.topic.name}.{part}.schema.json": schema_of(model, written=each.action == "send")
               for each in PUBLISHED
               for part, model in (("value", each.value), ("headers", each.headers)) if model is not None}
    return {name: json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
            for name, schema in schemas.items()} | {"asyncapi.yaml": document()}
