"""What every answer says to browsers, whatever came of the request."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from outreach_stream.gateway.service import Gateway
from tests.gateway.doors import Tokens, asking


async def test_every_answer_is_secured(tmp_path: Path) -> None:
    """Refusals, errors and answers alike: nothing may be framed, guessed, kept or run in a page."""
    tokens = Tokens(tmp_path / "tokens.yaml")
    async with asking(gateway_tokens=tokens.file, public_url="https://mail.example.com") as client:
        answers = [await client.get("/api/v1/me", headers=tokens.headers("read")), await client.get("/api/v1/me"),
                   await client.get("/nothing", headers=tokens.headers("read")), await client.get("/health/live"),
                   await client.post("/api/v1/trigger", content=b"x" * 2**21, headers=tokens.headers("trigger"))]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert [answer.status_code for answer in answers[:3]] == [200, 401, 404]
    assert answers[4].status_code == 413
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[0].headers["content-security-policy"].startswith("default-src 'none'")


async def test_https_is_demanded_only_where_it_is_spoken() -> None:
    """A gateway on loopback must not tell browsers to use https with this machine from now on."""
    async with asking(public_url="http://127.0.0.1:8000") as client:
        assert "strict-transport-security" not in (await client.get("/api/v1/me")).headers


async def test_an_unexpected_error_is_500_with_headers_and_without_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What failed is told in the process log only."""
    async def fail(self: object) -> None:
        raise RuntimeError("secret in the error")

    monkeypatch.setattr(Gateway, "engines", fail)
    async with asking() as client:
        with capture_logs() as logs:
            answer = await client.get("/api/v1/engines")

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [each["event"] for each in logs] == ["request_failed"]


async def test_a_wrong_method_names_the_right_ones() -> None:
    """All of them, also where several routes share a path."""
    async with asking() as client:
        answers = [await client.request("DELETE", path) for path in ("/u/x", "/api/v1/trigger")]

    assert [(answer.status_code, answer.headers["allow"]) for answer in answers] == [(405, "GET, POST"), (405, "POST")]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/v1/runs/"])
async def test_what_is_not_there_is_404(path: str) -> None:
    """No page that loads scripts from elsewhere, no redirect that a Host header could lead astray."""
    async with asking() as client:
        assert (await client.get(path)).status_code == 404
