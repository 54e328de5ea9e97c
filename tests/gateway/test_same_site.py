"""A gateway without tokens on a machine with a browser: whom it takes for its own."""

from pathlib import Path

import pytest

from outreach_stream.gateway.door.access import names_of
from outreach_stream.gateway.door.same_site import is_foreign, is_ours
from outreach_stream.settings import Settings
from tests.gateway.doors import Tokens, asking


@pytest.mark.parametrize(("host", "good"), [
    ("localhost", True), ("localhost:8000", True), ("LOCALHOST.", False), ("127.0.0.1:1", True), ("[::1]:8000", True),
    ("app.localhost", True), ("10.1.2.3", True), ("gateway:8000", True), ("mail.example.com", True),
    ("mail.example.com.evil.test", False), ("evil.test", False), ("localhost.evil.test", False), ("", False),
    ("evil.test#localhost", False), ("localhost@evil.test", False), ("[", False), ("127.0.0.1.evil.test", False),
])
async def test_a_gateway_without_tokens_answers_to_its_names_only(host: str, good: bool) -> None:
    """A page whose name was made to lead to this machine (DNS rebinding) still asks under that name."""
    async with asking(gateway_names="gateway", public_url="https://mail.example.com") as client:
        answers = [await client.request(method, "/api/v1/me", headers={"Host": host}) for method in ("GET", "POST")]

    assert [answer.status_code == 421 for answer in answers] == [not good] * 2


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 422), ({"Origin": "http://localhost:8000"}, 422), ({"Origin": "https://localhost:8000"}, 422),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 422), ({"Sec-Fetch-Site": "none"}, 422),
    ({"Origin": "http://evil.test"}, 403), ({"Origin": "null"}, 403), ({"Origin": "http://localhost:3000"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": ""}, 403),
    ({"Origin": "http://["}, 403), ({"Origin": "http://[::1"}, 403), ({"Origin": ""}, 403),
])
async def test_pages_of_other_sites_change_nothing(headers: dict[str, str], status: int) -> None:
    """A browser tells whose page asks; a program that is none tells nothing, and may."""
    async with asking() as client:
        answer = await client.post("/api/v1/trigger", headers=headers, json={})
        looked = await client.get("/api/v1/me", headers=headers)

    assert answer.status_code == status
    assert looked.status_code == 200, "its answer is kept from the page by the browser"


async def test_with_tokens_names_and_sites_do_not_matter(tmp_path: Path) -> None:
    """No browser adds a token by itself, so a page that has none does nothing."""
    tokens = Tokens(tmp_path / "tokens.yaml")
    async with asking("http://any.test", gateway_tokens=tokens.file) as client:
        answer = await client.post("/api/v1/trigger", json={}, headers={
            **tokens.headers("trigger"), "Origin": "http://other.test"})

    assert answer.status_code == 422


def test_the_decisions_on_names_and_sites() -> None:
    """They are functions of values: names in lower case, methods that change nothing."""
    assert is_ours("Gateway:1", {"gateway"})
    assert not is_ours("gateway:port:1", {"gateway:port"})
    assert not is_foreign("GET", "a", "http://b", "cross-site")
    assert names_of(Settings(gateway_host="Mail.test", gateway_names="A, b,")) == {"mail.test", "a", "b"}
