"""An engine that lives in a package of its own is found by its entry point, and sends."""

import json
import os
import subprocess
import sys
import tomllib
from base64 import b64encode
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from outreach_stream.domain.message import File, Mailbox
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    Throttled,
    Transient,
)
from outreach_stream.engines import registry
from outreach_stream.engines.http_engine import HttpEngine
from tests.installed import PLUGIN, forget, install
from tests.messages import raw

ENGINE = {"kind": "webhook", "host": "mail.corp.example", "token": "env:GATEWAY_TOKEN"}


@pytest.fixture
def site(tmp_path):
    """A folder with the example installed in it, as its pyproject.toml says."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    source = (PLUGIN / "outreach_webhook.py").read_text(encoding="utf-8")
    install(tmp_path / "site", "outreach_webhook", source, project["entry-points"][registry.GROUP])
    return tmp_path / "site"


@pytest.fixture
def webhook(site, monkeypatch):
    """The same, in this process."""
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("GATEWAY_TOKEN", "marked-token")
    forget()
    yield registry.kind({"kind": "webhook"})
    monkeypatch.undo()
    sys.modules.pop("outreach_webhook")
    forget()


def checked(folder, path: str, **changes: str) -> tuple[int, dict]:
    """`outreach catalog check` in a process of its own, which finds packages in `path` too."""
    (folder / "engines").mkdir(exist_ok=True)
    (folder / "engines" / "gateway.yaml").write_text(json.dumps(ENGINE | changes))
    done = subprocess.run([sys.executable, "-m", "outreach_stream.cli", "catalog", "check", str(folder), "--json"],
                          env=os.environ | {"PYTHONPATH": path}, check=False, capture_output=True, text=True,
                          timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_a_catalog_may_name_its_kind(site, tmp_path):
    """Where it is installed the command line takes it, like one that was always there; elsewhere it says what to do."""
    code, said = checked(tmp_path, str(site))
    assert (code, said["engines"]) == (0, [{"id": "gateway", "kind": "webhook", "warnings": []}])
    code, said = checked(tmp_path, "", kind="carrier-pigeon")
    assert (code, [problem["field"] for problem in said["problems"]]) == (1, ["kind"])
    assert "install the package that brings it" in said["problems"][0]["message"]


@asynccontextmanager
async def gateway(status: int = 202, body: str = '{"id": "gw-1"}', **headers: str):
    """A gateway that answers this, and the requests it got."""
    got = []

    async def take(request: web.Request) -> web.Response:
        got.append((request.method, request.path, dict(request.headers), await request.json()))
        return web.Response(status=status, text=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    app = web.Application()
    app.router.add_post("/mails", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", got
    finally:
        await runner.cleanup()


async def attempt(url: str):
    """What comes of one mail."""
    config = registry.engine_from(ENGINE | {"id": "gateway", "base_url": url})
    engine = registry.build(config)
    assert isinstance(engine, HttpEngine)
    connection = await engine.acquire()
    try:
        return await connection.hand_over(raw(
            "<7@s.example>", "bounces@s.example", "joe@r.example", to=Mailbox("joe@r.example", "Joe"),
            headers=(("X-Run", "7"),), files=(File("a.pdf", "application/pdf", b"%PDF"),)))
    finally:
        engine.release(connection)
        await engine.close()


async def test_it_sends(webhook):
    """The gateway gets the mail as JSON, with the token and a key that is the same on every attempt."""
    async with gateway() as (url, got):
        assert await attempt(url) == Accepted("gw-1")
        await attempt(url)
    (method, path, headers, mail), again = got
    assert (method, path, headers["Authorization"]) == ("POST", "/mails", "Bearer marked-token")
    assert headers["Idempotency-Key"] == again[2]["Idempotency-Key"] == "<7@s.example>"
    assert mail["recipient"] == "joe@r.example"
    assert mail["to"] == {"email": "joe@r.example", "name": "Joe"}
    assert mail["headers"] == {"X-Run": "7"}
    assert mail["files"][0]["content"] == b64encode(b"%PDF").decode()


@pytest.mark.parametrize(("status", "meaning"), [
    (400, MessageRejected), (401, EngineStopped), (403, EngineStopped), (404, EngineStopped),
    (413, MessageRejected), (422, RecipientRejected), (429, Throttled), (500, Transient), (502, Transient),
    (503, Transient), (504, InDoubt), (520, InDoubt), (302, EngineStopped), (418, EngineStopped), (202, InDoubt),
])
async def test_every_answer_of_the_gateways_contract(webhook, status, meaning):
    """And those that it does not know; nothing that the gateway says leaks an address."""
    async with gateway(status, "no joe@r.example here") as (url, _):
        outcome = await attempt(url)
    assert type(outcome) is meaning
    assert "joe" not in repr(outcome)


async def test_it_is_told_how_long_to_wait(webhook):
    """Retry-After, in seconds."""
    async with gateway(429, "", Retry_After="5") as (url, _):
        assert (await attempt(url)).retry_after == 5.0


async def test_its_preflight(webhook):
    """What all HTTP engines have, with nothing written for it."""
    async with gateway() as (url, got):
        config = registry.engine_from(ENGINE | {"id": "gateway", "base_url": url})
        found = [(each.step, each.good) async for each in registry.check(config, [])]
    assert found == [("settings", True), ("dns", True), ("connect", True)]
    assert got == []
