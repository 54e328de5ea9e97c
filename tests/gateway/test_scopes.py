"""Which scope each request needs, and that OpenAPI says so."""

from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.gateway.api import build
from outreach_stream.gateway.door.scopes import needed_scope
from outreach_stream.gateway.door.tokens import SCOPES
from outreach_stream.gateway.service import Gateway
from outreach_stream.settings import Settings
from tests.gateway.doors import NOBODY, Tokens, asking

SCOPE_OF = {
    ("GET", "/health"): "read",
    ("GET", "/health/live"): None,
    ("GET", "/health/ready"): None,
    ("GET", "/metrics"): "read",
    ("GET", "/"): None,
    ("HEAD", "/"): None,
    ("GET", "/assets/{version}/{name}"): None,
    ("HEAD", "/assets/{version}/{name}"): None,
    ("GET", "/u/{token}"): None,
    ("POST", "/u/{token}"): None,
    ("POST", "/u/{token}/undo"): None,
    ("GET", "/openapi.json"): "read",
    ("HEAD", "/openapi.json"): "read",
    ("GET", "/api/v1/me"): "read",
    ("GET", "/api/v1/engines"): "read",
    ("GET", "/api/v1/events"): "read",
    ("GET", "/api/v1/runs"): "read",
    ("GET", "/api/v1/runs/{run_id}"): "read",
    ("GET", "/api/v1/runs/{run_id}/outcomes"): "read",
    ("GET", "/api/v1/runs/{run_id}/recipients"): "read",
    ("GET", "/api/v1/schedules"): "read",
    ("GET", "/api/v1/workflows"): "read",
    ("POST", "/api/v1/suppression/{name}/check"): "read",
    ("POST", "/api/v1/suppression/{name}/add"): "admin",
    ("POST", "/api/v1/suppression/{name}/remove"): "admin",
    ("POST", "/api/v1/trigger"): "trigger",
    ("POST", "/api/v1/workflows/{workflow_id}/preview"): "trigger",
    ("POST", "/api/v1/workflows/{workflow_id}/test"): "trigger",
    ("POST", "/api/v1/engines/{engine_id}/resume"): "admin",
    ("POST", "/api/v1/engines/{engine_id}/stop"): "admin",
    ("POST", "/api/v1/runs/{run_id}/cancel"): "admin",
    ("POST", "/api/v1/runs/{run_id}/pause"): "admin",
    ("POST", "/api/v1/runs/{run_id}/replay"): "admin",
    ("POST", "/api/v1/runs/{run_id}/resume"): "admin",
}
"""What each route needs. A new one is written down here by whoever adds it, with a thought about who may."""


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "tokens.yaml")


def routes() -> set[tuple[str, str]]:
    """Every method and path that the application serves."""
    found = set()
    for route in iter_route_contexts(build(Gateway(NOBODY, MemoryCatalog().current, Settings())).routes):
        assert route.methods and route.path, f"{route}: what is mounted is classified by nobody"
        found |= {(method, route.path) for method in route.methods}
    return found


def test_every_route_is_classified_on_purpose() -> None:
    """The rule says of each route what the table says; one that is not in the table, or gone, fails here."""
    found = routes()

    assert ("POST", "/api/v1/trigger") in found
    assert {route: needed_scope(*route) for route in found} == SCOPE_OF


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/"), ("GET", "//"), ("POST", "/api/v1/runs/u/"), ("POST", "/api/v1/new"), ("DELETE", "/api/v1/trigger"),
    ("TRACE", "/api/v1/trigger"), ("POST", "/api/v1/trigger/"), ("POST", "/api/v1/workflows/a/b/test"),
    ("PUT", "/x/health/live"), ("POST", "/api/v1/workflows/1/test\n"), ("OPTIONS", "/api/v1/trigger"),
])
def test_what_nobody_thought_of_needs_the_highest_scope(method: str, path: str) -> None:
    """Unknown paths and methods are admin's, or read's if they only look; what is open is so by its whole path."""
    assert needed_scope(method, path) == (
        None if path == "/" else "read" if method == "GET" else "admin")


async def test_a_line_feed_leads_past_no_scope(tokens: Tokens) -> None:
    """The pattern of a route looks past one at the end: the scope of another route would do."""
    async with asking(gateway_tokens=tokens.file) as client:
        answers = [await client.post(f"/api/v1/{path}%0a", headers=tokens.headers("admin"), json={})
                   for path in ("trigger", "workflows/1/test", "suppression/a/check")]

    assert [answer.status_code for answer in answers] == [404] * 3


async def test_each_operation_wants_its_scope(tokens: Tokens) -> None:
    """Without a token 401, with one of another scope 403 that names what is missing, and only with its own more."""
    cases = [("GET", "/api/v1/runs", "read"), ("GET", "/openapi.json", "read"), ("POST", "/api/v1/trigger", "trigger"),
             ("POST", "/api/v1/runs/r/cancel", "admin"), ("POST", "/api/v1/no/such", "admin")]
    async with asking(gateway_tokens=tokens.file) as client:
        for method, path, needed in cases:
            bare = await client.request(method, path)
            answers = {scope: await client.request(method, path, headers=tokens.headers(scope)) for scope in SCOPES}

            assert bare.status_code == 401, path
            assert bare.headers["www-authenticate"] == "Bearer"
            for scope, answer in answers.items():
                assert (answer.status_code == 403) == (scope != needed), (path, scope)
                if scope != needed:
                    assert f"scope {needed}" in answer.json()["detail"]


async def test_openapi_says_who_may_ask(tokens: Tokens) -> None:
    """Every operation names its scope, or that it is open, and the refusals of the door."""
    async with asking(gateway_tokens=tokens.file) as client:
        document = (await client.get("/openapi.json", headers=tokens.headers("read"))).json()

    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = needed_scope(method.upper(), path)
            assert operation.get("security", [{}]) == ([{"token": [needed]}] if needed else [{}])
            assert {"401", "403", "421", "429"} <= operation["responses"].keys() or not needed
            assert not needed or f"`{needed}`" in operation["description"]
