"""Logging in, with each method, at a server that is not ours."""

import base64

import pytest
from aiosmtpd.smtp import AuthResult

from outreach_stream.domain.outcomes import Accepted, EngineStopped, Failure
from outreach_stream.engines.failures import MisconfiguredEngine
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_login import method
from tests.engines.conftest import Received
from tests.messages import raw

TOKEN = "ya29.a0AfH6SMBx-token_of-this-hour"
CHALLENGE = b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
"""developers.google.com/workspace/gmail/imap/xoauth2-protocol, "Error response"."""


class OAuth(Received):
    """Takes the token of the hour, as Gmail does (page above): else 334 with JSON, then 535 to an empty line."""

    tokens = (TOKEN,)

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[bytes] = []

    async def auth_XOAUTH2(self, server, args):  # noqa: N802 - aiosmtpd's name for it
        """One base64 text: user=…^Aauth=Bearer …^A^A."""
        told = base64.b64decode(args[1])
        if told in [f"user=robot@s.example\1auth=Bearer {token}\1\1".encode() for token in self.tokens]:
            return AuthResult(success=True, handled=False, auth_data=b"robot")
        await server.push(b"334 " + base64.b64encode(CHALLENGE))
        self.answered.append(await server._reader.readline())
        await server.push(b"535 5.7.8 Username and Password not accepted. For more information, go to support")
        return AuthResult(success=False, handled=True)


@pytest.fixture
def received():
    return OAuth()


def config_for(relay, certificates, **changes) -> SmtpConfig:
    return SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": relay.port, "security": "starttls",
        "ca_file": str(certificates.authority), "username": "robot@s.example", "password": "env:TOKEN",
        "connections": {"max_messages": 1}, "timeouts": {"connect": "5s", "command": "2s", "data": "2s"}} | changes)


async def send(engine: SmtpEngine):
    connection = await engine.acquire()
    if isinstance(connection, Failure):
        return connection
    outcome = await connection.hand_over(raw("<1@s>", "n@s.example", "joe@r.example"))
    engine.release(connection)
    return outcome


async def test_xoauth2_sends_the_token(relay, received, certificates, monkeypatch):
    """The token as the password, in the one line that the protocol wants."""
    monkeypatch.setenv("TOKEN", TOKEN)
    server = relay(tls_context=certificates.server, auth_required=True)
    engine = SmtpEngine(config_for(server, certificates, auth="xoauth2"))
    assert type(await send(engine)) is Accepted
    assert len(received.envelopes) == 1
    await engine.close()


async def test_an_expired_token_stops_the_engine(relay, received, certificates, monkeypatch):
    """The 334 is answered with an empty line, and what follows names neither token nor user."""
    monkeypatch.setenv("TOKEN", "an-expired-token")
    server = relay(tls_context=certificates.server, auth_required=True)
    engine = SmtpEngine(config_for(server, certificates, auth="xoauth2"))
    outcome = await send(engine)
    assert type(outcome) is EngineStopped
    assert outcome.reason == "auth_535_5.7.8"
    assert received.answered == [b"\r\n"]
    for secret in ("expired-token", "robot", base64.b64encode(CHALLENGE).decode()[:20]):
        assert secret not in repr(outcome)
    await engine.close()


async def test_a_token_that_rotates_is_followed(relay, received, certificates, tmp_path):
    """Whatever refreshes it writes the file: the next connection reads it."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    server = relay(tls_context=certificates.server, auth_required=True)
    engine = SmtpEngine(config_for(server, certificates, auth="xoauth2", password=f"file:{path}"))
    assert type(await send(engine)) is Accepted
    received.tokens = ("the-next-token",)
    path.write_text("the-next-token\n")
    assert type(await send(engine)) is Accepted
    await engine.close()


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_the_method_that_is_asked_for_is_used(relay, certificates, monkeypatch, auth):
    """And only that one: where it is not offered the engine stops and says what is."""
    monkeypatch.setenv("TOKEN", "s3cret")
    server = relay(tls_context=certificates.server, auth_required=True)
    engine = SmtpEngine(config_for(server, certificates, auth=auth, username="robot"))
    assert type(await send(engine)) is Accepted
    await engine.close()
    without = relay(tls_context=certificates.server, auth_required=True, auth_exclude_mechanism=[auth.upper()])
    engine = SmtpEngine(config_for(without, certificates, auth=auth, username="robot"))
    outcome = await send(engine)
    assert type(outcome) is EngineStopped
    assert f"does not offer AUTH {auth.upper()}" in outcome.detail and "XOAUTH2" in outcome.detail
    await engine.close()


@pytest.mark.parametrize(("auth", "offered", "expected"), [
    ("auto", ["login", "plain"], "plain"), ("auto", ["cram-md5", "login"], "login"),
    ("login", ["plain", "login"], "login"), ("xoauth2", ["xoauth2"], "xoauth2"),
])
def test_auto_is_plain_and_else_login(auth, offered, expected):
    """Never a token that may be a password, never CRAM-MD5."""
    assert method(auth, offered) == expected


@pytest.mark.parametrize(("auth", "offered", "words"), [
    ("auto", ["xoauth2"], "but XOAUTH2"), ("auto", [], "no login"), ("plain", ["login"], "AUTH PLAIN, but LOGIN")])
def test_what_is_not_offered_is_told(auth, offered, words):
    """With what could be written instead."""
    with pytest.raises(MisconfiguredEngine, match=words):
        method(auth, offered)
