"""SendGrid's engine and its preflight against a server that answers as the documentation's examples do."""

import json

import pytest
from pydantic import ValidationError

from outreach_stream.domain.outcomes import Accepted, EngineStopped, Throttled
from outreach_stream.engines import registry
from outreach_stream.engines.sendgrid import SendGridConfig, check
from tests.engines.http_peer import answer, peer, request_from
from tests.engines.sendgrid_schema import checked
from tests.messages import raw

KEY = "SG.marked"
MAIL = raw("<1@s.example>", "news@s.example", "joe@r.example")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("SG_KEY", KEY)


def config(port: int = 1, **fields) -> SendGridConfig:
    return SendGridConfig.model_validate({"id": "main", "kind": "sendgrid", "api_key": "env:SG_KEY",
                                          "base_url": f"http://127.0.0.1:{port}"} | fields)


def refused(message: str, status: str) -> bytes:
    return answer(json.dumps({"errors": [{"field": None, "message": message}]}).encode(), status)


# The examples of https://github.com/twilio/sendgrid-oai: tsg_scopes_v3, tsg_user_v3, tsg_domain_authentication_v3 and
# tsg_verified_senders_v3, shortened to what is looked at.
GOOD = {
    "/v3/scopes": answer(b'{"scopes": ["mail.send", "alerts.create", "alerts.read"]}'),
    "/v3/user/credits": answer(b'{"remain": 200, "total": 200, "overage": 0, "used": 0, "last_reset": "2013-01-01",'
                               b'"next_reset": "2013-02-01", "reset_frequency": "monthly"}'),
    "/v3/whitelabel/domains?limit=500": answer(b'[{"id": 1, "domain": "example.com", "valid": true},'
                                               b' {"id": 2, "domain": "pending.example", "valid": false}]'),
    "/v3/verified_senders?limit=500": answer(b'{"results": [{"id": 1234, "from_email": "orders@shop.example",'
                                             b' "verified": true, "locked": false},'
                                             b' {"id": 1235, "from_email": "new@shop.example", "verified": false}]}'),
}


def api(answers: dict[str, bytes], seen: list):
    async def serve(reader, writer):
        while True:
            head, body = await request_from(reader)
            seen.append((head, body))
            writer.write(answers.get(head.split(" ")[1], refused("not found", "404 Not Found")))
    return serve


async def preflight(answers: dict[str, bytes], senders=(), **fields):
    seen: list = []
    async with peer(api(answers, seen)) as port:
        found = [finding async for finding in check(config(port, **fields), senders)]
    assert all(f"Authorization: Bearer {KEY}\r\n" in head for head, _ in seen)
    assert not any(head.startswith("POST") for head, _ in seen) and KEY not in str(found)
    return found


async def test_a_mail():
    """One request with the key and a body as documented; the provider's id is kept."""
    seen: list = []
    async with peer(api({"/v3/mail/send": answer(b"", "202 Accepted", "X-Message-Id: abc")}, seen)) as port:
        engine = registry.build(config(port))
        connection = await engine.acquire()
        outcome = await connection.hand_over(MAIL)
        engine.release(connection)
        await engine.close()

    (head, body), = seen
    assert outcome == Accepted("abc") and connection.handed_over
    assert head.startswith("POST /v3/mail/send HTTP/1.1\r\n")
    assert "Content-Type: application/json\r\n" in head and "Accept: application/json\r\n" in head
    assert checked(body)["headers"] == {"Message-ID": "<1@s.example>"}


async def test_a_rotated_key(monkeypatch):
    """After a 401 the next connection reads the key anew."""
    seen: list = []
    async with peer(api({"/v3/mail/send": refused("Maximum credits exceeded", "401 Unauthorized")}, seen)) as port:
        engine = registry.build(config(port))
        for key in ("old", "new"):
            monkeypatch.setenv("SG_KEY", key)
            connection = await engine.acquire()
            outcome = await connection.hand_over(MAIL)
            engine.release(connection)

    assert type(outcome) is EngineStopped and outcome.reason == "send_credits_exceeded"
    assert ["Bearer old" in seen[0][0], "Bearer new" in seen[1][0]] == [True, True]


async def test_throttled():
    """The connection stays good, and the wait is counted from the clock."""
    too_many = answer(b"", "429 Too Many Requests", "X-RateLimit-Reset: 99999999999")
    async with peer(api({"/v3/mail/send": too_many}, [])) as port:
        connection = await registry.build(config(port)).acquire()
        outcome = await connection.hand_over(MAIL)

        assert type(outcome) is Throttled and outcome.retry_after > 1e9
        assert connection.reusable


async def test_the_preflight_when_all_is_well():
    """What the key may do, what is left, and each sender."""
    found = await preflight(GOOD, ["news@Example.com", "orders@shop.example", "new@shop.example",
                                   "a@pending.example", "a@sub.example.com"])

    assert [(finding.step, finding.good) for finding in found][3:] == [
        ("login", True), ("quota", True), ("sender", True), ("sender", True), ("sender", False), ("sender", False),
        ("sender", None)]
    assert "200 of 200" in found[4].text


async def test_a_key_that_may_only_send():
    """What it may not read is not known, and not bad."""
    may_not = refused("access forbidden", "403 Forbidden")
    found = await preflight(dict.fromkeys(GOOD, may_not) | {"/v3/scopes": GOOD["/v3/scopes"]}, ["a@b.example"])

    assert [(finding.step, finding.good) for finding in found][3:] == [
        ("login", True), ("quota", None), ("sender", None)]


@pytest.mark.parametrize(("scopes", "words"), [
    (refused("authorization required", "401 Unauthorized"), "authorization required"),
    (answer(b'{"scopes": ["alerts.read"]}'), "mail.send"),
    (answer(b"<html>"), "mail.send"),
    (refused("too many requests", "429 Too Many Requests"), "later"),
])
async def test_a_key_that_is_no_good(scopes, words):
    """It ends there, and says why."""
    found = await preflight(GOOD | {"/v3/scopes": scopes}, ["a@b.example"])

    assert (found[-1].step, found[-1].good) == ("login", False)
    assert words in found[-1].text


@pytest.mark.parametrize(("told", "good"), [
    (answer(b'{"remain": 0, "total": 100, "next_reset": "2013-02-01"}'), None), (answer(b"{}"), None),
    (answer(b"[]"), None), (refused("internal server error", "500 Internal Server Error"), False),
])
async def test_credits(told, good):
    """None left may mean that mails cost extra, or are refused: it is told, and not judged."""
    found = await preflight(GOOD | {"/v3/user/credits": told})

    assert found[-1].step == "quota" and found[-1].good is good


async def test_the_sandbox_is_told():
    """Nobody should wonder where the mails are."""
    found = await preflight(GOOD, sandbox=True)

    assert found[0].good is None and "sandbox" in found[0].text


def test_regions_and_fields():
    """Each region has its host; what is not documented is refused; the key is a reference only."""
    assert config(base_url=None).origin().header == "api.sendgrid.com"
    assert config(base_url=None, region="eu").origin().header == "api.eu.sendgrid.com"
    for wrong in ({"region": "us"}, {"api_key": "SG.plain"}, {"apikey": "env:X"}, {"api_key": None}):
        with pytest.raises(ValidationError) as told:
            config(**wrong)
        assert "SG.plain" not in str(told.value)
    assert KEY not in repr(config())
