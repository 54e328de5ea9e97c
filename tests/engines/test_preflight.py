"""The parts that all preflights share, against real sockets and real certificates."""

import asyncio
import socket
import ssl
import time
from contextlib import asynccontextmanager

import pytest

from outreach_stream.domain.outcomes import EngineStopped, RecipientRejected, Throttled, Transient
from outreach_stream.engines.preflight import of_failure, reach, tls_finding


async def found(host: str, port: int) -> list[tuple[str, bool | None]]:
    return [(finding.step, finding.good) async for finding in reach(host, port, 2.0)]


async def test_a_host_that_answers_is_named_and_reached():
    """Two good findings, and nothing was said on the connection."""
    heard = []

    async def serve(reader, writer):
        heard.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        assert await found("127.0.0.1", server.sockets[0].getsockname()[1]) == [("dns", True), ("connect", True)]
        await asyncio.sleep(0.05)
    assert heard in ([], [b""])


async def test_a_port_that_nobody_listens_to_is_a_bad_finding():
    """The name is known, the port is not open; the text names both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        *_, last = [finding async for finding in reach("127.0.0.1", port, 2.0)]
    assert (last.step, last.good) == ("connect", False)
    assert str(port) in last.text


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".example", "two words"])
async def test_a_name_that_nobody_knows_ends_it(host):
    """One bad finding; no connection is tried, and nothing is raised for a name that is none."""
    assert await found(host, 25) == [("dns", False)]


@asynccontextmanager
async def over_tls(certificates, *, verify: bool = True):
    async with await asyncio.start_server(lambda _, w: None, "127.0.0.1", 0, ssl=certificates.server) as server:
        context = ssl.create_default_context(cafile=certificates.authority)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1], ssl=context)
        yield writer.get_extra_info("ssl_object")
        writer.transport.abort()


@pytest.mark.parametrize(("verify", "days_later", "good", "words"), [
    (True, -20, True, "TLSv1.3, the certificate is verified and good for 22 days"),
    (True, 0, None, "good for 2 days"),
    (False, -20, None, "NOT verified"),
    (True, 5, False, "expired 3 days ago"),
    (False, 5, False, "expired 3 days ago"),
])
async def test_a_certificate_is_told_by_its_days(certificates, verify, days_later, good, words):
    """Expired is bad; soon to expire, or not verified, is worth a word."""
    async with over_tls(certificates, verify=verify) as ssl_object:
        finding = tls_finding(ssl_object, time.time() + days_later * 86_400)
    assert finding.good is good
    assert words in finding.text


@pytest.mark.parametrize(("failure", "words"), [
    (EngineStopped("connect_certificate_not_trusted", "self-signed certificate"), "ca_file"),
    (EngineStopped("connect_certificate_not_trusted", "certificate has expired"), "Renew"),
    (EngineStopped("connect_certificate_not_trusted", "Hostname mismatch, it is not for 'x'"), "by the n"),
    (EngineStopped("auth_missing_secret", "environment variable X is not set"), "Set it"),
    (EngineStopped("auth_535", "no"), "until somebody"),
    (Throttled("send_429", "slow down", 7.0), "in 7 s"), (Throttled("send_429"), "later"),
    (Transient("connect_timeout"), "firewall"), (Transient("mail_450", "busy"), "may pass"),
    (RecipientRejected("rcpt_550"), "will refuse"),
])
def test_a_failure_says_what_to_do(failure, words):
    """The reason and the provider's words are kept, and advice follows."""
    finding = of_failure("login", failure)
    assert (finding.step, finding.good) == ("login", False)
    assert failure.reason in finding.text and failure.detail in finding.text
    assert words in finding.text
