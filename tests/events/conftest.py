"""Records as they were written once: those of schema_version 1 are never changed, and never made anew."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

RECORDED = {path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((Path(__file__).parent / "recorded").glob("*.json"))}


def consumed(recorded: dict[str, Any], value: Any = ...) -> Any:
    """The record as a consumer gets it; with `value` instead of its own."""
    value = recorded["value"] if value is ... else value
    return SimpleNamespace(
        topic=recorded["topic"], partition=2, offset=41, timestamp=1_790_000_000_250,
        key=recorded["key"] and recorded["key"].encode(),
        value=value.encode() if isinstance(value, str) else value and json.dumps(value).encode(),
        headers=tuple((name, text.encode()) for name, text in recorded["headers"]))
