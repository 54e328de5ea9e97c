"""The door of the gateway: who is let in, how often, for how long, and under which name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from structlog.testing import capture_logs

from outreach_stream.gateway.door.access import MISTAKES, Door, Guarded, Refused
from outreach_stream.gateway.door.caller import caller, source
from outreach_stream.gateway.door.tokens import Scope, Token, TokenFile, hashed, new_token, written
from tests.gateway.doors import Tokens, asking


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "tokens.yaml")


@pytest.mark.parametrize("authorization", [
    ["Bearer"], ["Bearer "], ["Basic b3J0Xw=="], ["TOKEN"], ["Bearer TOKEN", "Bearer TOKEN"], ["Bearer TOKEN0"],
    ["Bearer TOKEN TOKEN"], ["Bearer ort_" + "0" * 64], [""], ["Bearer \xff"],
])
async def test_whatever_is_no_good_token_is_401(tokens: Tokens, authorization: list[str]) -> None:
    """Of any form; two of them are none."""
    headers = [(b"Authorization", each.replace("TOKEN", tokens.of["read"]).encode("latin-1")) for each in authorization]
    async with asking(gateway_tokens=tokens.file) as client:
        answer = await client.get("/api/v1/me", headers=headers)

    assert answer.status_code == 401
    assert tokens.of["read"] not in answer.text


async def test_who_one_is(tokens: Tokens) -> None:
    """The name and the scopes of the token; without tokens nobody, who may do everything."""
    async with asking(gateway_tokens=tokens.file) as client:
        known = (await client.get("/api/v1/me", headers=tokens.headers("read"))).json()
    async with asking() as client:
        anyone = (await client.get("/api/v1/me")).json()

    assert known == {"name": "read", "scopes": ["read"]}
    assert anyone == {"name": None, "scopes": ["read", "trigger", "admin"]}


async def test_the_body_of_who_is_not_let_in_is_not_read(tokens: Tokens) -> None:
    """Nobody fills our memory without a token."""
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"{}"

    async with asking(gateway_tokens=tokens.file) as client:
        answer = await client.post("/api/v1/trigger", content=body())

    assert answer.status_code == 401
    assert not read


async def test_what_is_done_says_whose_token_it_was(tokens: Tokens) -> None:
    """The name of the token is the source of what is done under it; each request has its own."""
    told = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        told.append((scope["path"], source()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guarded = Guarded(app, Door(TokenFile(tokens.file), (), 100))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://localhost") as client:
        await asyncio.gather(*[client.post("/u/x" if scope == "nobody" else f"/api/v1/{path}",
                                           headers={} if scope == "nobody" else tokens.headers(scope))
                               for scope, path in [("trigger", "trigger"), ("admin", "order"), ("nobody", "")]])

    assert sorted(told) == [("/api/v1/order", "gateway:admin"), ("/api/v1/trigger", "gateway:trigger"),
                            ("/u/x", "gateway")]
    assert caller.get().name is None


async def test_wrong_tokens_are_logged_without_them_and_limited(tokens: Tokens) -> None:
    """Each 401 is told in the process log, as many of an address as its limit allows; good ones are not held up."""
    wrong = {"Authorization": f"Bearer {new_token()}"}
    async with asking(gateway_tokens=tokens.file) as client:
        with capture_logs() as logs:
            answers = [await client.get("/api/v1/me", headers=wrong) for _ in range(int(MISTAKES[1]) + 5)]
            good = await client.get("/api/v1/me", headers=tokens.headers("read"))

    statuses = [answer.status_code for answer in answers]
    assert statuses == [401] * statuses.count(401) + [429] * statuses.count(429)
    assert statuses.count(429) >= 4
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert good.status_code == 200
    refused = [each for each in logs if each["event"] == "token_refused"]
    assert len(refused) == statuses.count(401)
    assert "ort_" not in str(refused)


async def test_one_who_asks_too_often_is_429(tokens: Tokens) -> None:
    """Each token has a limit of its own; probes have none, since what restarts us asks them."""
    async with asking(gateway_tokens=tokens.file, gateway_rate=1.5) as client:
        first = [(await client.get("/api/v1/me", headers=tokens.headers("read"))).status_code for _ in range(5)]
        other = (await client.get("/api/v1/me", headers=tokens.headers("admin"))).status_code
        bare = [(await client.get("/api/v1/me")).status_code for _ in range(4)]
        probes = {(await client.get("/health/live")).status_code for _ in range(20)}

    assert first == [200, 200, 200, 429, 429]
    assert bare == [401, 401, 401, 429]
    assert other == 403
    assert 429 not in probes


async def test_nobody_uses_up_the_limit_of_a_token_without_it(tokens: Tokens) -> None:
    """What a proxy hands on as its client's address may be anything, the name of a token among it."""
    door = Door(TokenFile(tokens.file), (), 1.0)
    for _ in range(10):
        with suppress(Refused):
            door.open_for("GET", "/", Headers(), "token read")

    assert door.open_for("GET", "/api/v1/me", Headers(tokens.headers("read")), "token read").name == "read"


async def test_a_body_whose_end_is_told_twice_is_400(tokens: Tokens) -> None:
    """A proxy may see two requests where we see one, or the other way round: the connection is closed."""
    both = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
    async with asking(gateway_tokens=tokens.file) as client:
        answers = [await client.post(path, headers=both | given, content=b"{}") for path in ("/", "/api/v1/trigger")
                   for given in ({}, tokens.headers("trigger"))]

    assert [(answer.status_code, answer.headers["connection"]) for answer in answers] == [(400, "close")] * 4


@pytest.mark.parametrize("scopes", [None, ["trigger"]])
async def test_an_answer_ends_when_its_token_is_withdrawn(tokens: Tokens, scopes: list[Scope] | None) -> None:
    """A stream of events that was opened with a good token goes on only while it is one, and has the scope."""
    now, sent = [0.0], 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for sent in range(1, 100):
            if sent == 3:
                tokens.write(read=None)
                if scopes:
                    entry = written("read", Token(hash=hashed(tokens.of["read"]), scopes=scopes))
                    tokens.file.write_text(tokens.file.read_text() + entry)
                now[0] += 60
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    guarded = Guarded(app, Door(TokenFile(tokens.file, tick=lambda: now[0]), (), 100))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://localhost") as client:
        answer = await client.get("/api/v1/events", headers=tokens.headers("read"))

    assert answer.text == "xx"
    assert sent == 3


async def test_a_web_socket_is_refused() -> None:
    """There is none, so the door knows nothing about them."""
    said = []

    async def send(message: Any) -> None:
        said.append(message["type"])

    guarded: Any = Guarded(lambda *_: pytest.fail("it was let in"), Door(None, (), 1))
    await guarded({"type": "websocket", "path": "/", "headers": []}, None, send)

    assert said == ["websocket.close"]
