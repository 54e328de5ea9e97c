"""Against aiosmtpd, so that our engine and our inbox do not share a misunderstanding."""

import pytest

from outreach_stream.domain.outcomes import Accepted, EngineStopped, Failure, MessageRejected, RecipientRejected
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from tests.messages import raw

BODY = "Message-ID: <1@s>\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n.\r\nGrüße\r\n".encode()


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("RELAY_PASSWORD", "s3cret")
    monkeypatch.setenv("WRONG_PASSWORD", "guess")


def engine_for(relay, **changes) -> SmtpEngine:
    return SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": relay.port, "security": "none",
        "timeouts": {"connect": "5s", "command": "2s", "data": "2s"}} | changes))


async def send(engine: SmtpEngine, recipient: str = "joe@r.example", body: bytes = BODY):
    connection = await engine.acquire()
    if isinstance(connection, Failure):
        return connection
    outcome = await connection.hand_over(raw("<1@s>", "n@s.example", recipient, body))
    engine.release(connection)
    return outcome


LOGIN = {"username": "robot", "password": "env:RELAY_PASSWORD"}


async def test_the_bytes_arrive_as_they_were(relay, received):
    """Dots, 8-bit text and line ends are the same on the other side, mail after mail."""
    engine = engine_for(relay())
    for _ in range(3):
        outcome = await send(engine)
        assert isinstance(outcome, Accepted)
        assert outcome.provider_message_id == "AIO12345"
    assert [envelope.original_content for envelope in received.envelopes] == [BODY] * 3
    assert "BODY=8BITMIME" in received.envelopes[0].mail_options
    assert received.envelopes[0].rcpt_tos == ["joe@r.example"]
    await engine.close()


@pytest.mark.parametrize("security", ["none", "tls"])
async def test_a_large_mail_arrives_whole(relay, received, certificates, security):
    """A mail of many writes is put together again, through TLS as well."""
    server = relay(implicit_tls=certificates.server) if security == "tls" else relay()
    engine = engine_for(server, security=security, ca_file=str(certificates.authority))
    body = b"Subject: big\r\n\r\n" + b".A line that starts with a dot.\r\n" * 30_000
    assert isinstance(await send(engine, body=body), Accepted)
    assert received.envelopes[0].original_content == body
    await engine.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_starttls_with_login(relay, received, certificates, mechanism):
    """EHLO, STARTTLS, EHLO again, AUTH, and then mail."""
    other = {"PLAIN": "LOGIN", "LOGIN": "PLAIN"}[mechanism]
    server = relay(tls_context=certificates.server, require_starttls=True, auth_required=True,
                   auth_exclude_mechanism=[other])
    engine = engine_for(server, security="starttls", ca_file=str(certificates.authority), **LOGIN)
    for _ in range(2):
        assert isinstance(await send(engine), Accepted)
    await engine.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it has TLS; aiosmtpd does not see it
async def test_implicit_tls_with_login(relay, received, certificates):
    """TLS from the first byte, as on port 465."""
    server = relay(implicit_tls=certificates.server, auth_required=True, auth_require_tls=False)
    engine = engine_for(server, security="tls", ca_file=str(certificates.authority), **LOGIN)
    assert isinstance(await send(engine), Accepted)
    await engine.close()


async def test_bad_credentials_stop_the_engine(relay, certificates):
    """A refused login is the operator's to repair, and the password is not repeated."""
    server = relay(tls_context=certificates.server, auth_required=True)
    engine = engine_for(server, security="starttls", ca_file=str(certificates.authority),
                        username="robot", password="env:WRONG_PASSWORD")
    outcome = await send(engine)
    assert isinstance(outcome, EngineStopped)
    assert "guess" not in repr(outcome)
    await engine.close()


async def test_a_missing_secret_stops_the_engine(relay, monkeypatch):
    """A reference that points at nothing is reported by its name, without a network failure's disguise."""
    monkeypatch.delenv("RELAY_PASSWORD")
    engine = engine_for(relay(), **LOGIN)
    outcome = await send(engine)
    assert isinstance(outcome, EngineStopped)
    assert "RELAY_PASSWORD" in outcome.detail
    await engine.close()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_stranger_gets_no_mail(relay, received, certificates, security):
    """A certificate of an unknown authority stops the engine; unless told not to verify."""
    server = relay(tls_context=certificates.server) if security == "starttls" \
        else relay(implicit_tls=certificates.server)
    engine = engine_for(server, security=security)
    outcome = await send(engine)
    assert isinstance(outcome, EngineStopped)
    assert "certificate_not_trusted" in outcome.reason
    assert received.envelopes == []
    trusting = engine_for(server, security=security, verify_certificates=False)
    assert isinstance(await send(trusting), Accepted)
    await engine.close()
    await trusting.close()


async def test_starttls_is_not_skipped(relay, received):
    """A server without STARTTLS (or a man in the middle who hides it) gets neither password nor mail."""
    engine = engine_for(relay(), security="starttls")
    assert isinstance(await send(engine), EngineStopped)
    assert received.envelopes == []
    await engine.close()


@pytest.mark.parametrize("changes", [{"host": "x" * 70 + ".example"}, {"local_hostname": "two words"}])
async def test_a_value_that_cannot_be_sent_stops_the_engine(relay, changes):
    """What the catalog cannot see to be unfit is told when it is used, and does not raise."""
    engine = engine_for(relay(), **changes)
    assert isinstance(await send(engine), EngineStopped)
    await engine.close()


async def test_the_size_limit_is_respected_unasked(relay, received):
    """What the server said in EHLO is not asked again with a megabyte."""
    engine = engine_for(relay(data_size_limit=1_000))
    assert isinstance(await send(engine, body=b"x" * 2_000), MessageRejected)
    assert isinstance(await send(engine, body=b"x" * 500), Accepted)
    await engine.close()


async def test_international_addresses_need_an_international_server(relay, received):
    """SMTPUTF8 where it is offered; else the recipient is refused here."""
    engine = engine_for(relay())
    assert isinstance(await send(engine, "jürgen@r.example"), Accepted)
    plain = engine_for(relay(enable_SMTPUTF8=False))
    assert isinstance(await send(plain, "jürgen@r.example"), RecipientRejected)
    await engine.close()
    await plain.close()


@pytest.mark.parametrize("address", ["a@b.example>\r\nRCPT TO:<c@d.example", "a b@c.example", "", "\ud800@c.example"])
async def test_an_address_cannot_smuggle_commands(relay, received, address):
    """Line ends, spaces and angle brackets never reach the wire."""
    engine = engine_for(relay())
    assert isinstance(await send(engine, address), RecipientRejected)
    assert received.envelopes == []
    await engine.close()
