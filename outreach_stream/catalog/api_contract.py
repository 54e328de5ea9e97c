"""The contract as OpenAPI: `python -m outreach_stream.catalog.api_contract` writes it to `docs/catalog-api.yaml`."""

from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from outreach_stream.catalog.api import build
from outreach_stream.catalog.contract import COLLECTIONS, CollectionName
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.engines.config import EngineConfig

CONTRACT_FILE = Path("docs/catalog-api.yaml")
"""Relative to the project."""

_MODELS = (Workflow, Template, Schedule, EngineConfig)
_NAMES: dict[CollectionName, str] = {
    "workflows": "Workflow", "templates": "Template", "engines": "EngineConfig", "schedules": "Schedule"}


def contract() -> dict[str, Any]:
    """The server's own OpenAPI, with the objects as the catalog's models read them."""
    found = build(Path("catalog")).openapi()
    schemas: dict[str, Any] = found["components"]["schemas"]
    _, read = models_json_schema([(model, "validation") for model in _MODELS],
                                 ref_template="#/components/schemas/{model}")
    schemas |= read["$defs"]
    engine = schemas["EngineConfig"]
    engine |= {"additionalProperties": True, "description": "What every kind of engine has; docs/catalog.md has the "
                                                            "fields of each kind"}
    page = schemas.pop("Page")
    for name in COLLECTIONS:
        of = _NAMES[name]
        items = {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}, "title": "Items"}
        schemas[f"{of}Page"] = page | {"title": f"{of}Page", "properties": page["properties"] | {"items": items}}
        for path, schema in ((f"/{name}", f"{of}Page"), (f"/{name}/{{object_id}}", of)):
            answer = found["paths"][path]["get"]["responses"]["200"]
            answer["content"]["application/json"]["schema"] = {"$ref": f"#/components/schemas/{schema}"}
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def written() -> str:
    """The contract as it stands in the file."""
    head = "# Made by `python -m outreach_stream.catalog.api_contract`; a test sees to it that it is fresh.\n"
    return head + yaml.safe_dump(contract(), sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    CONTRACT_FILE.write_text(written(), encoding="utf-8")
