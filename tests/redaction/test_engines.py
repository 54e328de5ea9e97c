"""What servers quote of our credentials goes no further than to the engine."""

import io
import json
import sys
from contextlib import redirect_stderr

import pytest
import structlog

from outreach_stream.cli.engine_check import Shown, findings
from outreach_stream.domain.message import Mailbox
from outreach_stream.domain.outcomes import Failure
from outreach_stream.engines import registry
from outreach_stream.settings import Settings
from outreach_stream.telemetry import logs
from tests.messages import raw

from .echoes import http_echo, smtp_echo
from .secrets_planted import leaks

HTTP = {
    "sendgrid": {"api_key": "env:SENDGRID_KEY"},
    "mailgun": {"api_key": "env:MAILGUN_KEY", "domain": "mg.example.com"},
    "ses": {"region": "eu-west-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "env:SES_SECRET",
            "session_token": "env:SES_TOKEN"},
}
SENDER = Mailbox("us@example.com")
MESSAGE = raw("<1@example.com>", "us@example.com", "ann@example.com")

pytestmark = pytest.mark.usefixtures("planted")


async def said(config) -> str:
    """All that the engine says of one attempt, and all that its preflight says."""
    engine, told = registry.build(config), [repr(config), str(config), config.model_dump_json()]
    told.append(repr(engine))
    found = await engine.acquire()
    told.append(repr(found))
    if not isinstance(found, Failure):
        told.append(repr(await found.hand_over(MESSAGE)))
        told.append(repr(vars(found)))
        engine.release(found)
    await engine.close()
    shown = io.StringIO()
    out, sys.stdout = sys.stdout, shown
    try:
        look = Shown(as_json=True)
        look.engine(config)
        async for finding in findings(config, [SENDER], "ann@example.com"):
            look.finding(finding)
        look.end()
    finally:
        sys.stdout = out
    assert json.loads(shown.getvalue())[0]["findings"]
    return "\n".join([*told, shown.getvalue()])


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("kind", HTTP)
async def test_an_api_that_quotes_our_key(kind, status):
    """Whatever its answer is, and wherever in it the key stands: neither outcome nor preflight repeats it."""
    async with http_echo(status) as port:
        config = registry.engine_from({"id": "e", "kind": kind, "base_url": f"http://127.0.0.1:{port}", **HTTP[kind]})

        assert leaks(await said(config)) == []


@pytest.mark.parametrize("let_in", [False, True])
@pytest.mark.parametrize(("mechanism", "auth"), [("PLAIN", "plain"), ("LOGIN", "login"), ("XOAUTH2", "xoauth2")])
async def test_a_relay_that_quotes_our_login(mechanism, auth, let_in):
    """In base64 or in plain, as the answer to the login or to a mail."""
    async with smtp_echo(mechanism, let_in=let_in) as port:
        config = registry.engine_from({"id": "e", "kind": "smtp", "host": "127.0.0.1", "port": port,
                                       "security": "none", "auth": auth, "username": "us",
                                       "password": "env:SMTP_PASSWORD", "timeouts": {"command": "2s"}})

        assert leaks(await said(config)) == []


@pytest.mark.parametrize("kind", HTTP)
async def test_a_key_that_is_no_header(kind, monkeypatch):
    """A key with a line break in it, as a careless copy has: said, and not quoted."""
    secrets = [value.removeprefix("env:") for value in HTTP[kind].values() if value.startswith("env:")]
    for name in secrets:
        monkeypatch.setenv(name, f"Zq7{name}\nsecond-line-of-it\u20ac")
    async with http_echo(401) as port:
        config = registry.engine_from({"id": "e", "kind": kind, "base_url": f"http://127.0.0.1:{port}", **HTTP[kind]})

        told = await said(config)
        assert "Zq7" not in told and "second-line-of-it" not in told


@pytest.mark.parametrize("pem", [
    "Zq7dkim0123456789abcdef", "-----BEGIN PRIVATE KEY-----\nZq7dkim0123456789abcdef\n-----END PRIVATE KEY-----\n",
    "-----BEGIN Zq7dkim PRIVATE KEY-----\nAAAA\n-----END Zq7dkim PRIVATE KEY-----\n",
])
async def test_a_dkim_key_that_is_none(pem, tmp_path):
    """What cannot be read as a key is not quoted: it may be half of one."""
    (tmp_path / "key.pem").write_text(pem)
    config = registry.engine_from({
        "id": "e", "kind": "smtp", "host": "127.0.0.1", "port": 9, "security": "none",
        "dkim": {"domain": "example.com", "selector": "a", "key": f"file:{tmp_path}/key.pem"}})

    assert "Zq7" not in await said(config)


def crash(secret):
    """An error that was made of another one, both with what must not be told."""
    try:
        raise ConnectionError(f"cannot log in with {secret!r}")  # noqa: TRY301 - it is what is tested
    except ConnectionError as error:
        raise RuntimeError({"password": secret, "url": f"smtp://us:{secret}@host"}) from error


def test_a_crash_with_a_secret_in_hand(planted, monkeypatch):
    """The traceback that is logged has the error's words without it, ours and a library's log lines, too."""
    monkeypatch.setenv("OUTREACH_LOG_FORMAT", "json")
    from outreach_stream.values import SecretRef

    secret = SecretRef("env:SMTP_PASSWORD").resolve()
    out = io.StringIO()
    with redirect_stderr(out):
        logs.configure(Settings())
        try:
            crash(secret)
        except RuntimeError:
            structlog.get_logger().exception("process_crashed", given=[secret.encode()], form={secret: secret})
    structlog.reset_defaults()

    assert "Traceback" in out.getvalue()
    assert leaks(out.getvalue()) == []
