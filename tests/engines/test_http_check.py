"""The preflight of an HTTP engine, as far as it is the same for all."""

import asyncio
import socket

import pytest

from outreach_stream.domain.ports import Finding
from outreach_stream.engines.http_check import preflight
from outreach_stream.engines.http_wire import Request
from outreach_stream.values import SecretRef
from tests.engines.http_peer import answer, peer, request_from
from tests.engines.plain_http import PlainConfig


class KeyedConfig(PlainConfig):
    api_key: SecretRef = SecretRef("env:PLAIN_KEY")


def config(port: int, **fields) -> KeyedConfig:
    return KeyedConfig.model_validate(
        {"id": "x", "base_url": f"http://127.0.0.1:{port}", "timeouts": {"connect": "500ms"}} | fields)


async def login(ask):
    found = await ask(Request("GET", "/login"))
    yield Finding("login", found.status == 200, str(found.status))


async def sender(ask):
    for _ in range(2):
        await ask(Request("GET", "/sender"))
        yield Finding("sender", True, "verified")


ASKED = {"login": login, "sender": sender}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PLAIN_KEY", "MARK")


async def findings(config, questions=ASKED) -> list[Finding]:
    async with asyncio.timeout(10):
        return [finding async for finding in preflight(config, questions)]


def serving(status: str = "200 OK", *headers: str):
    async def serve(reader, writer):
        while True:
            await request_from(reader)
            writer.write(answer(b"{}", status, *headers))
            if headers:
                return
    return serve


@pytest.mark.parametrize("headers", [(), ("Connection: close",)])
async def test_all_is_well(headers):
    """Each step says so in order, whether or not the server keeps the connection; no secret is told."""
    async with peer(serving("200 OK", *headers)) as port:
        found = await findings(config(port))

    assert [(finding.step, finding.good) for finding in found] == [
        ("settings", True), ("dns", True), ("connect", True), ("login", True), ("sender", True), ("sender", True)]
    assert "env:PLAIN_KEY" in found[0].text and "MARK" not in str(found)


async def test_under_tls(certificates):
    """The certificate is told of; an unverified one is warned of before."""
    async with peer(serving(), tls=certificates.server) as port:
        base = {"base_url": f"https://127.0.0.1:{port}"}
        trusted = await findings(config(port, **base, ca_file=str(certificates.authority)))
        unverified = await findings(config(port, **base, verify_certificates=False))
        stranger = await findings(config(port, **base))

    assert [finding.step for finding in trusted] == [
        "settings", "dns", "connect", "tls", "login", "sender", "sender"]
    assert unverified[0].step == "settings" and unverified[0].good is None
    assert next(finding for finding in unverified if finding.step == "tls").good is None
    assert stranger[-1].step == "tls" and stranger[-1].good is False and "ca_file" in stranger[-1].text


async def test_a_missing_secret_ends_it(monkeypatch):
    """Nobody is asked anything with half the credentials."""
    monkeypatch.delenv("PLAIN_KEY")

    found = await findings(config(1))

    assert [(finding.step, finding.good) for finding in found] == [("settings", False)]
    assert "PLAIN_KEY" in found[0].text


async def test_nobody_listens():
    """The steps after the bad one are not made."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    found = await findings(config(port))

    assert [(finding.step, finding.good) for finding in found] == [
        ("settings", True), ("dns", True), ("connect", False)]


async def test_a_bad_login_ends_it():
    """What comes after would be bad for the same reason."""
    async with peer(serving("401 Unauthorized")) as port:
        found = await findings(config(port))

    assert [(finding.step, finding.good) for finding in found][-1] == ("login", False)


async def test_a_question_without_an_answer_is_a_finding():
    """It is told under its own step, and the next step is made all the same."""
    async def serve(reader, writer):
        while "/login" not in (await request_from(reader))[0]:
            pass
        writer.write(answer())
        await asyncio.sleep(30)

    async with peer(serve) as port:
        found = await findings(config(port), {"login": login, "quota": sender, "sender": login})

    assert [(finding.step, finding.good) for finding in found][3:] == [
        ("login", True), ("quota", False), ("login", True)]
    assert "timeout" in next(finding for finding in found if finding.step == "quota").text
