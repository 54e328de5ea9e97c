"""The preflight, against servers that are not ours: each thing that can be wrong is found at its step."""

import asyncio
import socket
from types import SimpleNamespace

import dns.asyncresolver
import pytest

from outreach_stream.domain.outcomes import Failure, Transient
from outreach_stream.engines import registry, smtp_check
from outreach_stream.engines.config import NOT_VERIFIED
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.inbox import Inbox
from tests.engines.conftest import Received
from tests.engines.keys import pem, rsa
from tests.engines.test_dkim_keys import asking, halves, record

SENDERS = ("news@s.example", "boss@s.example")


class Choosy(Received):
    """Takes no mail of boss@."""

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if address == "boss@s.example":
            return "553 5.7.1 <boss@s.example>: Sender address rejected: not owned by user robot"
        envelope.mail_from = address
        return "250 OK"


@pytest.fixture
def received():
    return Choosy()


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("RELAY_PASSWORD", "s3cret-of-the-relay")
    monkeypatch.delenv("UNSET", raising=False)


def config_for(relay, certificates, **changes) -> SmtpConfig:
    return SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": relay.port, "security": "starttls",
        "ca_file": str(certificates.authority),
        "timeouts": {"connect": "1s", "command": "1s", "data": "1s"}} | changes)


async def check(config: SmtpConfig, *senders: str):
    return [finding async for finding in registry.check(config, senders)]


def steps(findings) -> list[tuple[str, bool | None]]:
    return [(finding.step, finding.good) for finding in findings]


@pytest.fixture
def login(monkeypatch):
    monkeypatch.setenv("RELAY_PASSWORD", "s3cret")
    return {"username": "robot", "password": "env:RELAY_PASSWORD"}


async def test_all_that_can_be_found_is_found(relay, received, certificates, login):
    """In order, and no mail is left behind; the certificate of the tests is good for two days."""
    server = relay(tls_context=certificates.server, auth_required=True)
    findings = await check(config_for(server, certificates, **login), *SENDERS)
    assert steps(findings) == [("settings", True), ("dns", True), ("connect", True), ("tls", None), ("login", True),
                               ("sender", True), ("sender", False)]
    assert "TLSv1.3" in findings[3].text and "good for" in findings[3].text
    assert SENDERS[1] in findings[-1].text and "mail_553_5.7.1" in findings[-1].text
    assert "not owned" in findings[-1].text
    assert received.envelopes == []
    assert not any("s3cret" in finding.text for finding in findings)


CASES = {
    "missing secret": ({"username": "robot", "password": "env:UNSET"}, [("settings", False)], "UNSET"),
    "missing authority": ({"ca_file": "/nowhere/ca.pem"}, [("settings", False)], "ca_file"),
    "missing host": ({"host": "env:UNSET"}, [("settings", False)], "UNSET"),
    "missing key": ({"dkim": {"domain": "s.example", "selector": "x", "key": "env:UNSET"}}, [("settings", False)],
                    "UNSET"),
    "wrong key": ({"dkim": {"domain": "s.example", "selector": "x", "key": "env:RELAY_PASSWORD"}},
                  [("settings", False)], "no private key"),
    "wrong password": ({"username": "robot", "password": "env:RELAY_PASSWORD"},
                       [("settings", True), ("dns", True), ("connect", True), ("login", False)],
                       "Mend username or password (env:RELAY_PASSWORD)"),
    "stranger": ({"ca_file": None}, [("dns", True), ("connect", True), ("tls", False)], "Give ca_file"),
    "the wrong port for TLS": ({"security": "tls"}, [("dns", True), ("connect", True), ("tls", False)],
                               "try security: starttls"),
    "unknown host": ({"host": "no-such-host.invalid"}, [("dns", False)], "spelling"),
}


@pytest.mark.parametrize(("changes", "expected", "words"), CASES.values(), ids=CASES)
async def test_what_is_wrong_ends_it_at_its_step(relay, certificates, changes, expected, words):
    """What comes after it could only fail for the same reason."""
    server = relay(tls_context=certificates.server)
    findings = await check(config_for(server, certificates, **changes), *SENDERS)
    assert steps(findings) == expected
    assert words in findings[-1].text
    assert not any("s3cret" in finding.text for finding in findings)


async def test_a_server_without_starttls_is_a_matter_of_tls(relay, certificates):
    """And not of the connection, which stands."""
    findings = await check(config_for(relay(), certificates))
    assert steps(findings)[-1] == ("tls", False)
    assert "does not offer STARTTLS" in findings[-1].text


async def test_a_server_that_says_nothing_has_its_time(certificates):
    """A port that takes connections and does not speak SMTP."""
    async with await asyncio.start_server(lambda _, writer: None, "127.0.0.1", 0) as mute:
        server = SimpleNamespace(port=mute.sockets[0].getsockname()[1])
        findings = await asyncio.wait_for(check(config_for(server, certificates)), 5)
    assert steps(findings) == [("dns", True), ("connect", True), ("connect", False)]
    assert "security: tls" in findings[-1].text


@pytest.mark.parametrize(("port", "words"), [(465, "implicit-TLS port"), (2525, "a port for SMTP")])
def test_a_port_that_does_not_greet_may_wait_for_tls(port, words):
    """At 465 surely; elsewhere perhaps."""
    config = SmtpConfig.model_validate({"id": "x", "kind": "smtp", "host": "127.0.0.1", "port": port})
    assert words in (smtp_check._advice(config, Transient("connect_timeout"), port) or "")


async def test_warnings_come_first(relay, certificates):
    """Turned off is said loudly, and the certificate is said to be unverified."""
    server = relay(tls_context=certificates.server)
    findings = await check(config_for(server, certificates, verify_certificates=False))
    assert findings[0] == ("settings", None, NOT_VERIFIED)
    tls = next(finding for finding in findings if finding.step == "tls")
    assert tls.good is None and "NOT verified" in tls.text


async def test_each_of_several_relays_is_looked_at(certificates):
    """One that is away does not hide the others, and each line says whose it is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = taken.getsockname()[1]
        async with Inbox() as inbox:
            config = SmtpConfig.model_validate({
                "id": "x", "kind": "smtp", "security": "none",
                "relays": [{"host": "127.0.0.1", "port": away}, {"host": "127.0.0.1", "port": inbox.port}]})
            findings = await check(config, SENDERS[0])
            assert list(inbox.mails) == []
    assert steps(findings) == [("dns", True), ("connect", False),
                               ("dns", True), ("connect", True), ("login", None), ("sender", True)]
    assert all(str(away) in each.text for each in findings if each.good is False)
    assert all(str(inbox.port) in each.text for each in findings[3:])


@pytest.mark.parametrize(("published", "good"), [(rsa(), True), (rsa(another=1), False)])
async def test_the_dkim_key_is_compared_with_the_dns(relay, certificates, tmp_path, monkeypatch, published, good):
    """Its kind is told, its record is looked up, and a sender for whom it does not speak is named."""
    path = tmp_path / "key.pem"
    path.write_text(pem(rsa()))
    key = {"domain": "s.example", "selector": "rsa2026", "key": f"file:{path}"}
    server = relay(tls_context=certificates.server)
    async with asking([halves(record(published))]) as resolver:
        monkeypatch.setattr(dns.asyncresolver, "get_default_resolver", lambda: resolver)
        findings = await check(config_for(server, certificates, dkim=key), "n@mail.s.example", "n@others.example")
    assert steps(findings)[:3] == [("settings", True), ("settings", None), ("dns", good)]
    assert "others.example" in findings[1].text
    assert "rsa2026._domainkey.s.example" in findings[2].text


async def test_a_relay_that_hangs_up_on_a_sender_is_a_finding():
    """Not an exception, and the next sender is not waited for in vain."""
    async def serve(reader, writer):
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250 x\r\n")
        await reader.readline()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        config = SmtpConfig.model_validate({"id": "x", "kind": "smtp", "host": "127.0.0.1", "security": "none",
                                            "port": server.sockets[0].getsockname()[1]})
        findings = await check(config, *SENDERS)
    assert steps(findings)[-2:] == [("sender", False)] * 2
    assert not isinstance(findings[-1], Failure)
