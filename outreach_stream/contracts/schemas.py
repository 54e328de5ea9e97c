"""JSON Schemas of what stands on public topics, from the models."""

from typing import Any, override

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

type Schema = dict[str, Any]


class _Untitled(GenerateJsonSchema):
    """Without titles that only repeat the names of fields."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(model: type[BaseModel], *, written: bool, refs: str = "#/$defs/{model}") -> Schema:
    """The schema of `model`; `written`: by us, and then a field that has no value is missing, never null.

    Required are only the fields that had to be there from the first record of this schema_version on: one that has a
    default may be younger, and is missing from records that are older.
    """
    schema = model.model_json_schema(ref_template=refs, schema_generator=_Untitled)
    return _without_null(schema) if written else schema


def _without_null(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_null(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _without_null(each) for name, each in part.items() if not (name == "default" and each is None)}
    choices = kept.get("anyOf")
    if choices and {"type": "null"} in choices:
        kept["anyOf"] = [each for each in choices if each != {"type": "null"}]
        if len(kept["anyOf"]) == 1:
            kept |= kept.pop("anyOf")[0]
    return kept
