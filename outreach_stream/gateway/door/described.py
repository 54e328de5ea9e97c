"""What the OpenAPI document says of all operations alike: who may ask, and which refusals there are."""

from typing import Any, override

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from outreach_stream.gateway.door.scopes import PROBES, needed_scope

_REASONS = {
    400: "It cannot be read", 401: "No token, or a wrong one", 403: "The token has not the scope",
    404: "There is none", 405: "Not this method", 408: "The body came too slowly", 409: "It makes no sense now",
    413: "Too large", 415: "Not of this kind", 421: "Asked under a name that is not this gateway's",
    422: "It is not understood", 429: "Too often: `Retry-After` says when", 503: "Not now: repeat it",
}


class Problem(BaseModel):
    """One thing that is not understood: where, and why."""

    type: str
    loc: list[str | int]
    msg: str


class Refusal(BaseModel):
    """Why it was not done."""

    detail: str | list[Problem]


class Described(FastAPI):
    """An API whose document has every answer that the door and the limits give."""

    @override
    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            described(super().openapi())
        return super().openapi()


def described(document: dict[str, Any]) -> None:
    """Add to each operation its scope, its refusals, and a body for each refusal that has none."""
    parts = document.setdefault("components", {})
    _, schemas = models_json_schema([(Refusal, "validation")], ref_template="#/components/schemas/{model}")
    parts.setdefault("schemas", {}).update(schemas["$defs"])
    parts["securitySchemes"] = {"token": {
        "type": "http", "scheme": "bearer", "description": "Of `outreach token create`, if this gateway asks for one"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(method.upper(), path, operation)


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    answers, scope = operation["responses"], needed_scope(method, path)
    if scope is not None:
        operation["security"] = [{"token": [scope]}]
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
    for status in _refusals(has_scope=scope is not None, has_body="requestBody" in operation, path=path):
        answers.setdefault(str(status), {})
    for status, answer in answers.items():
        if status >= "400":
            answer["description"] = _REASONS.get(int(status), answer.get("description", ""))
            if status == "422" or not answer.get("content"):
                answer["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}


def _refusals(*, has_scope: bool, has_body: bool, path: str) -> list[int]:
    return [*([401, 403, 421] if has_scope else []), *([400, 408, 413, 422] if has_body else []),
            *([] if path in PROBES else [429])]
