"""The Mailgun engine: what it sends, read by a parser that is not ours, and what its preflight finds."""

from base64 import b64decode
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from aiohttp import web
from pydantic import ValidationError

from outreach_stream.domain.message import Mailbox
from outreach_stream.domain.outcomes import Accepted, EngineStopped, Failure, MessageRejected, RecipientRejected
from outreach_stream.engines.http_wire import Request
from outreach_stream.engines.mailgun import LARGEST, Mailgun, MailgunConfig, build, check
from tests.messages import raw

QUEUED = {"id": "<20111114174239.25659.5817@samples.mailgun.org>", "message": "Queued. Thank you."}
DOMAIN = {"domain": {"name": "mg.example.com", "state": "active", "type": "custom"},
          "sending_dns_records": [{"record_type": "TXT", "name": "mg.example.com", "valid": "valid"}]}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MAILGUN_KEY", "key-marked-secret")


def config(**more) -> MailgunConfig:
    return MailgunConfig.model_validate({
        "id": "mg", "kind": "mailgun", "api_key": "env:MAILGUN_KEY", "domain": "mg.example.com"} | more)


@asynccontextmanager
async def api(answers: dict):
    """Answers by method and path, with what aiohttp's parser understood of the requests."""
    asked = []

    async def serve(request: web.Request) -> web.Response:
        form = []
        if request.content_type == "multipart/form-data":
            form = [(part.name, part.filename, bytes(await part.read())) async for part in await request.multipart()]
        asked.append((request.method, request.path, dict(request.headers), form))
        status, body = answers[request.method, request.path]
        return web.json_response(body, status=status) if body else web.Response(status=status, text="Forbidden")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", asked
    finally:
        await runner.cleanup()


async def sent(message, **more):
    """The outcome, and the one request that was made."""
    async with api({("POST", "/v3/mg.example.com/messages.mime"): (200, QUEUED)}) as (url, asked):
        engine = build(config(base_url=url, **more))
        connection = await engine.acquire()
        outcome = await connection.hand_over(message)
        engine.release(connection)
        await engine.close()
    [request] = asked
    return outcome, request


CONTENT = (b"From: =?utf-8?q?N=C3=A4ws?= <news@mg.example.com>\r\nTo: r@r.example\r\nMessage-ID: <7@s.example>\r\n"
           b"Subject: Hi\r\nList-Unsubscribe: <https://s.example/u>\r\n\r\n--boundary\r\n.Hello\r\n")


async def test_the_message_is_uploaded_as_it_is():
    """Mailgun gets our bytes as a file, to whom, the tags, and nothing else; its name of the message is kept."""
    message = raw("<7@s.example>", "news@mg.example.com", "r@r.example", CONTENT, tags=("spring", "run-7"))
    outcome, (_, _, headers, form) = await sent(message)
    assert outcome == Accepted(QUEUED["id"], QUEUED["message"])
    assert form == [("to", None, b"r@r.example"), ("o:tag", None, b"spring"), ("o:tag", None, b"run-7"),
                    ("message", "message.eml", CONTENT)]
    assert b64decode(headers["Authorization"].removeprefix("Basic ")) == b"api:key-marked-secret"
    assert message_from_bytes(form[-1][2], policy=policy.default)["List-Unsubscribe"] == "<https://s.example/u>"


async def test_in_test_mode_nothing_is_delivered_and_everybody_is_told():
    """`o:testmode` is sent, and a warning stands wherever the engine is shown."""
    _, (*_, form) = await sent(raw("<7@s.example>", "news@mg.example.com", "r@r.example", CONTENT), test_mode=True)
    assert ("o:testmode", None, b"yes") in form
    assert any("delivers none" in warning for warning in config(test_mode=True).warnings)
    assert config().warnings == ()


async def test_hostile_names_stay_where_they_are():
    """What would end a header, a part or the form changes neither who gets the mail nor what it says."""
    hostile = '"; filename="x"\r\nContent-Type: text/html\r\n\r\n--x--\r\n\x00'
    content = CONTENT + hostile.encode() + b"\r\n--" + b"0" * 32 + b"--\r\n"
    message = raw("<7@s.example>", "news@mg.example.com", "r@r.example", content, to=Mailbox("r@r.example", hostile),
                  subject=hostile, tags=('a"b', "line\r\nbreak"))
    _, (_, _, headers, form) = await sent(message)
    assert form == [("to", None, b"r@r.example"), ("o:tag", None, b'a"b'), ("o:tag", None, b"line\r\nbreak"),
                    ("message", "message.eml", content)]
    assert "filename" not in headers["Content-Type"]


def request(message) -> Request | Failure:
    return Mailgun(config()).request(message)


def test_each_form_has_a_boundary_of_its_own():
    """Nobody who sees one mail can write the end of the next one's form."""
    message = raw("<7@s.example>", "news@mg.example.com", "r@r.example", CONTENT)
    boundaries = {request(message).headers["Content-Type"] for _ in range(100)}
    assert len(boundaries) == 100


@pytest.mark.parametrize("recipient", ['"a,b"@r.example', "a@r.example,b@r.example", "a@r.example\r\nb@r.example",
                                       "<a@r.example>", "a b@r.example", "g:a@r.example;"])
def test_an_address_that_mailgun_would_read_as_several_is_refused(recipient):
    """`to` is a list: whoever is in it gets the mail."""
    found = request(raw("<7@s.example>", "news@mg.example.com", recipient, CONTENT))
    assert type(found) is RecipientRejected
    assert "@" not in repr(found)


@pytest.mark.parametrize(("recipient", "smtputf8"), [("r@r.example", False), ("jürgen@r.example", True)])
def test_the_message_is_ascii_unless_its_recipient_is_not(recipient, smtputf8):
    """Whatever a relay on the way can take, nothing has to be written anew, which would break signatures."""
    asked = []
    message = raw("<7@s.example>", "news@mg.example.com", recipient, CONTENT)
    form = request(replace(message, write=lambda **can: asked.append(can) or CONTENT))
    assert asked == [{"eight_bit": False, "smtputf8": smtputf8}]
    assert f'name="to"\r\n\r\n{recipient}\r\n'.encode() in form.body


def test_limits_are_known_before_anything_is_sent():
    """A mail above 25 MB is the mail's fault; tags beyond the limits are everybody's."""
    def with_(content=CONTENT, **mail):
        return request(raw("<7@s.example>", "news@mg.example.com", "r@r.example", content, **mail))

    assert isinstance(with_(b"x" * LARGEST), Request)
    assert type(with_(b"x" * (LARGEST + 1))) is MessageRejected
    assert isinstance(with_(tags=tuple("abcdefghij")), Request)
    for tags in (tuple("abcdefghijk"), ("x" * 129,), ("Ü",)):
        assert type(with_(tags=tags)) is EngineStopped


def test_where_the_api_is():
    """By region, unless base_url says otherwise."""
    assert config().origin().host == "api.mailgun.net"
    assert config(region="eu").origin().host == "api.eu.mailgun.net"
    assert config(base_url="https://proxy.example").origin().host == "proxy.example"


@pytest.mark.parametrize("domain", ["", "example", "mg.example.com/x", "https://mg.example.com", "mg..example.com",
                                    "-mg.example.com", "mg.example.com?", "mg.exämple.com", "a." * 127 + "com",
                                    "x@y.z"])
def test_a_domain_is_a_domain(domain):
    """It goes into a path: what is none is refused with an example."""
    with pytest.raises(ValidationError, match=r'write for example "mg\.example\.com"'):
        config(domain=domain)
    assert config(domain="MG.Example.COM").domain == "mg.example.com"


async def found(answers, senders=("news@mg.example.com",), **more):
    async with api(answers) as (url, asked):
        findings = [each async for each in check(config(base_url=url, **more), list(senders))]
    assert "key-marked-secret" not in repr(findings)
    return findings, [(method, path) for method, path, *_ in asked]


GET, POST = ("GET", "/v4/domains/mg.example.com"), ("POST", "/v3/mg.example.com/messages.mime")


async def test_the_preflight_of_a_domain_that_is_ready():
    """One question, no mail; all is good but the quota, which nobody can know."""
    findings, asked = await found({GET: (200, DOMAIN)}, ["news@mg.example.com", "boss@example.com"])
    assert asked == [GET]
    assert [(each.step, each.good) for each in findings] == [
        ("settings", True), ("dns", True), ("connect", True), ("login", True), ("quota", None), ("sender", True),
        ("sender", True), ("sender", True)]


async def test_a_sending_key_may_not_look():
    """A form that misses everything tells a key that may only send from one that is wrong."""
    findings, asked = await found({GET: (401, None), POST: (400, {"message": "to parameter is missing"})}, [])
    assert asked == [GET, POST]
    assert [(each.step, each.good) for each in findings[-3:]] == [("login", True), ("quota", None), ("sender", None)]
    findings, _ = await found({GET: (401, None), POST: (401, None)})
    assert (findings[-1].step, findings[-1].good) == ("login", False)
    assert "Check api_key" in findings[-1].text


@pytest.mark.parametrize(("status", "body", "says"), [
    (404, {"message": "Domain not found: mg.example.com"}, "a domain of the EU is known only there"),
    (500, {"message": "Internal Server Error"}, "It may pass"),
    (200, {"domain": None}, "Check base_url"),
    (200, QUEUED, "check base_url"),
])
async def test_a_login_that_fails_says_what_to_do(status, body, says):
    """And nothing is asked after it."""
    findings, _ = await found({GET: (status, body)})
    assert (findings[-1].step, findings[-1].good) == ("login", False)
    assert says in findings[-1].text


@pytest.mark.parametrize(("domain", "valid", "good", "says"), [
    ({"state": "unverified"}, "unknown", False, "TXT mg.example.com"),
    ({"state": "disabled", "disabled": {"reason": "too many bounces"}}, "valid", False, "too many bounces"),
    ({"state": "active"}, "invalid", None, "TXT mg.example.com"),
    ({"state": "active", "type": "sandbox"}, "valid", None, "authorized"),
])
async def test_a_domain_that_is_not_ready(domain, valid, good, says):
    """What is missing is named; a sandbox too."""
    records = [{"record_type": "TXT", "name": "mg.example.com", "valid": valid}]
    findings, _ = await found({GET: (200, {"domain": domain, "sending_dns_records": records})}, [])
    assert (findings[-1].step, findings[-1].good) == ("sender", good)
    assert says in findings[-1].text


async def test_a_sender_of_another_domain_is_worth_a_word():
    """Its mails would be signed by a stranger."""
    findings, _ = await found({GET: (200, DOMAIN)}, ["news@elsewhere.example"])
    assert (findings[-1].good, "DMARC" in findings[-1].text) == (None, True)
