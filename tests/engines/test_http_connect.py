"""Connecting to an API: what stops the engine, and what may pass."""

import asyncio
import socket

import pytest

from outreach_stream.domain.outcomes import Accepted, EngineStopped, Transient
from outreach_stream.engines.http_config import origin_problem
from tests.engines.http_peer import answer, peer, request_from
from tests.engines.plain_http import MAIL, Plain, PlainConfig, engine_at


async def yes(reader, writer):
    while True:
        await request_from(reader)
        writer.write(answer(b"id"))


async def sleep(reader, writer):
    await asyncio.sleep(30)


async def connected(engine):
    """What `acquire` gives, and whether a mail goes over it."""
    found = await engine.acquire()
    if isinstance(found, (Transient, EngineStopped)):
        return found
    outcome = await found.hand_over(MAIL)
    engine.release(found)
    await engine.close()
    return outcome


@pytest.mark.parametrize(("trust", "host", "expected"), [
    ({"ca_file": "authority"}, "localhost", Accepted("id")),
    ({"ca_file": "authority"}, "127.0.0.1", Accepted("id")),
    ({"verify_certificates": False}, "localhost", Accepted("id")),
    ({}, "localhost", "connect_certificate_not_trusted"),
    ({"ca_file": "authority"}, "localhost.localdomain", "connect_certificate_not_trusted"),
    ({"ca_file": "/nowhere/ca.pem"}, "localhost", "connect_misconfigured"),
])
async def test_certificates(certificates, monkeypatch, trust, host, expected):
    """A private authority can be given; a stranger's certificate, or one for another host, stops the engine."""
    if trust.get("ca_file") == "authority":
        trust = {"ca_file": str(certificates.authority)}
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo
    monkeypatch.setattr(loop, "getaddrinfo", lambda _host, *rest, **named: resolve("127.0.0.1", *rest, **named))

    async with peer(yes, tls=certificates.server) as port:
        found = await connected(engine_at(port, scheme="https", host=host, **trust))

    if isinstance(expected, str):
        assert type(found) is EngineStopped and found.reason == expected
    else:
        assert found == expected


async def test_nobody_listens():
    """It may pass."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    found = await connected(engine_at(port))

    assert type(found) is Transient and found.reason == "connect_connection_lost"


async def test_an_unknown_host():
    """It may pass: name servers do."""
    found = await connected(engine_at(443, scheme="https", host="nowhere.invalid", timeouts={"connect": "5s"}))

    assert type(found) is Transient and found.reason in ("connect_network_error", "connect_timeout")


@pytest.mark.parametrize(("serve", "reason"), [(sleep, "connect_timeout"), (yes, "connect_timeout")])
async def test_a_port_that_speaks_no_tls(certificates, serve, reason):
    """A server that waits for a request in clear never answers the handshake: the time for connecting ends it."""
    async with peer(serve) as port:
        found = await connected(engine_at(port, scheme="https", host="localhost", ca_file=str(certificates.authority)))

    assert type(found) is Transient and found.reason == reason


async def test_a_port_that_speaks_first(certificates):
    """What is no TLS is refused at once, and may be somebody's passing mistake."""
    async def greet(reader, writer):
        writer.write(b"220 smtp.example ESMTP\r\n")
        await asyncio.sleep(30)

    async with peer(greet) as port:
        found = await connected(engine_at(port, scheme="https", host="localhost", ca_file=str(certificates.authority)))

    assert type(found) is Transient and found.reason == "connect_tls_failed"


async def test_preparing_is_limited_too():
    """A server that never answers the question before the first mail costs the time for connecting, and no mail."""
    async with peer(sleep) as port:
        found = await connected(engine_at(port, Plain(asks=True)))

    assert type(found) is Transient and found.reason == "prepare_timeout"


async def test_cancelled_while_preparing_closes_the_connection():
    """Nothing stays behind of an `acquire` that was given up, and the next one is let in."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        await request_from(reader)
        asked.set()
        try:
            await reader.read()
        finally:
            gone.set()

    async with peer(serve) as port:
        engine = engine_at(port, Plain(asks=True), concurrency=1, timeouts={"connect": "300ms"})
        attempt = asyncio.create_task(engine.acquire())
        await asyncio.wait_for(asked.wait(), 5)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await asyncio.wait_for(gone.wait(), 5)
        assert type(await asyncio.wait_for(engine.acquire(), 5)) is Transient


async def test_a_bug_of_a_provider_is_no_outcome():
    """What is nobody's network comes out as it is, and the connection is closed."""
    class Broken(Plain):
        async def prepare(self, ask):
            raise KeyError("a bug")

    async with peer(yes) as port:
        with pytest.raises(KeyError):
            await engine_at(port, Broken()).acquire()


async def test_a_reference_to_nothing(monkeypatch):
    """An address that is nowhere stops the engine, and says which variable is meant."""
    monkeypatch.delenv("API_URL", raising=False)
    engine = engine_at(1, base_url="env:API_URL")
    missing = await engine.acquire()
    monkeypatch.setenv("API_URL", "http://api.example/v3")
    wrong = await engine.acquire()

    assert type(missing) is type(wrong) is EngineStopped
    assert missing.reason == wrong.reason == "connect_missing_secret"
    assert "API_URL" in missing.detail and "without a path" in wrong.detail


@pytest.mark.parametrize("url", ["api.example.com", "ftp://api.example.com", "https://", "https://a:b@api.example.com",
                                 "https://api.example.com/v3", "https://api.example.com?x", "http://api.example.com",
                                 "https://api.example.com:0", "https://api.example.com:x", "https://[::1",
                                 "https://api example.com", "https://api.example.com\r\nX: 1", "https://äpi.example"])
def test_what_is_no_address_of_an_api(url):
    """A scheme and a host, https unless it is this machine; anything else is told before the first mail."""
    assert origin_problem(url)
    with pytest.raises(ValueError, match="base_url"):
        PlainConfig.model_validate({"id": "x", "base_url": url})


@pytest.mark.parametrize(("url", "host", "port", "tls", "header"), [
    ("https://api.example.com", "api.example.com", 443, True, "api.example.com"),
    ("https://api.example.com/", "api.example.com", 443, True, "api.example.com"),
    ("https://api.example.com:8443", "api.example.com", 8443, True, "api.example.com:8443"),
    ("http://127.0.0.1:8025", "127.0.0.1", 8025, False, "127.0.0.1:8025"),
    ("http://[::1]:8025", "::1", 8025, False, "[::1]:8025"),
])
def test_addresses(url, host, port, tls, header):
    """Where to connect, and what the Host header says."""
    origin = PlainConfig.model_validate({"id": "x", "base_url": url}).origin()

    assert (origin.host, origin.port, origin.tls, origin.header) == (host, port, tls, header)
