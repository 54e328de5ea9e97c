"""The JSON Schema of the log: `python -m outreach_stream.runs.log_schema` writes it to `docs/log.schema.json`."""

import json
from pathlib import Path

from outreach_stream.runs.log_models import RunLog

SCHEMA_FILE = Path("docs/log.schema.json")
"""Relative to the project."""


def log_schema() -> str:
    """The schema as it stands in the file, from the models."""
    schema = RunLog.model_json_schema(mode="serialization")
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.parent.mkdir(exist_ok=True)
    SCHEMA_FILE.write_text(log_schema(), encoding="utf-8")
