"""The SES engine: what it sends, what it keeps to, and what its configuration may say."""

import asyncio
import json
from base64 import b64decode

import pytest
from botocore.session import Session
from pydantic import ValidationError

from outreach_stream.domain.lanes import lanes_for
from outreach_stream.domain.message import Mailbox
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    Failure,
    MessageRejected,
    RecipientRejected,
    Throttled,
    Transient,
)
from outreach_stream.engines.ses import LARGEST, Ses, build

from .ses_stage import ACCOUNT, CONTENT, PRODUCTION, SECRET, SEND, SENT, TOLD, api, config, mail


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SES_SECRET", SECRET)


async def sent(message, **more):
    """The outcome, and the body of the request that was made."""
    async with api({ACCOUNT: TOLD, SEND: SENT}) as (url, asked):
        engine = build(config(base_url=url, **more))
        connection = await engine.acquire()
        outcome = await connection.hand_over(message)
        engine.release(connection)
        await engine.close()
    return outcome, json.loads(asked[-1][3])


async def test_the_message_goes_out_as_it_is():
    """SES gets our bytes, who sends with the name as the message has it, whom, and nothing else."""
    outcome, body = await sent(mail())
    assert outcome == Accepted("0100018f-1")
    assert b64decode(body.pop("Content")["Raw"]["Data"], validate=True) == CONTENT
    assert body == {"FromEmailAddress": "=?utf-8?b?TsOkd3M=?= <news@example.com>",
                    "Destination": {"ToAddresses": ["r@r.example"]}}


async def test_what_it_is_counted_under():
    """Tags are values of names that differ; configuration set and tenant are the catalog's; bounces go where told."""
    _, body = await sent(mail(tags=("spring", "run-7"), sender=Mailbox("other@example.com")),
                         configuration_set="events", tenant="acme")
    assert body["EmailTags"] == [{"Name": "tag", "Value": "spring"}, {"Name": "tag2", "Value": "run-7"}]
    assert (body["ConfigurationSetName"], body["TenantName"]) == ("events", "acme")
    assert body["FeedbackForwardingEmailAddress"] == "news@example.com"


async def test_what_ses_would_not_take_is_not_asked():
    """A mail above 40 MB, and an address that needs SMTPUTF8."""
    ses = Ses(config())
    assert isinstance(ses.request(mail(b"x" * (LARGEST + 1))), MessageRejected)
    assert isinstance(ses.request(mail(recipient="jürgen@r.example")), RecipientRejected)


async def test_the_accounts_rate_is_kept_and_asked_once():
    """Connections made at once ask once; the rate is known with the first; later ones believe it for minutes."""
    async with api({ACCOUNT: TOLD}) as (url, asked):
        engine = build(config(base_url=url))
        connections = await asyncio.gather(*(engine.acquire() for _ in range(5)))
        assert engine.rate == 14.0 and not any(isinstance(each, Failure) for each in connections)
        connections[0].abort()
        for each in connections:
            engine.release(each)
        await engine.close()
    assert [(method, path) for method, path, *_ in asked] == [ACCOUNT]


@pytest.mark.parametrize(("account", "meaning"), [
    ({"SendingEnabled": False}, EngineStopped),
    ({"EnforcementStatus": "SHUTDOWN"}, EngineStopped),
    ({"SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 200.0}}, Throttled),
])
async def test_an_account_that_cannot_send_gives_no_connection(account, meaning):
    """Paused, shut down, or used up for today: known before a mail is spent on it."""
    async with api({ACCOUNT: (200, PRODUCTION | account)}) as (url, _):
        engine = build(config(base_url=url))
        found = await engine.acquire()
        await engine.close()
    assert type(found) is meaning and found.reason.startswith("prepare_")
    assert meaning is EngineStopped or found.retry_after > 600


def named(status: int, name: str, words: str = "") -> tuple:
    return status, {"message": words}, {"x-amzn-ErrorType": name}


@pytest.mark.parametrize(("answer", "given", "meaning"), [
    (named(403, "AccessDeniedException", "User is not authorized to perform ses:GetAccount"), {}, None),
    (named(404, "UnknownOperationException"), {}, None),
    ((200, {"hello": "world"}), {}, None),
    (named(403, "UnrecognizedClientException"), {}, EngineStopped),
    (named(403, "SignatureDoesNotMatch"), {"rate": 5}, EngineStopped),
    (named(429, "TooManyRequestsException"), {}, Transient),
    (named(500, "InternalFailure"), {}, Transient),
    (named(500, "InternalFailure"), {"rate": 5}, None),
])
async def test_an_account_that_is_not_told(answer, given, meaning):
    """A key that may not ask sends all the same; a bad one stops the engine; what passes is waited for, if need be."""
    async with api({ACCOUNT: answer, SEND: SENT}) as (url, _):
        engine = build(config(base_url=url, **given))
        found = await engine.acquire()
        if meaning is None:
            assert await found.hand_over(mail()) == Accepted("0100018f-1") and engine.rate is None
            engine.release(found)
        else:
            assert type(found) is meaning
        await engine.close()


@pytest.mark.parametrize("later", [named(429, "TooManyRequestsException"), (200, {"SendQuota": {}})])
async def test_what_was_told_holds_while_the_account_cannot_be_asked(monkeypatch, later):
    """The question fails once the rate is known: mails go on at that rate."""
    monkeypatch.setattr("outreach_stream.engines.ses_account.FRESH_SECONDS", 0.0)
    async with api({ACCOUNT: [TOLD, later]}) as (url, asked):
        engine = build(config(base_url=url, connections={"max_messages": 1}))
        for _ in range(2):
            connection = await engine.acquire()
            connection.abort()
            engine.release(connection)
        assert engine.rate == 14.0 and len(asked) == 2
        await engine.close()


def test_without_a_rate_there_is_one_lane():
    """One process keeps the account's rate, which no other knows of; who gives a rate or lanes has what is given."""
    assert config().lanes == 1 and len(lanes_for(config(), 32)) == 1
    assert config(lanes=4).lanes == 4 and config(rate=50).lanes is None
    assert config(burst=2, lanes=4).effective_burst == 2, "it counts with the rate that SES tells"
    assert len(lanes_for(config(burst=2, lanes=4), 32)) == 1 and config().effective_burst is None
    assert config(**config().model_dump(mode="json", exclude_none=True)) == config()


@pytest.mark.parametrize(("wrong", "field"), [
    ({"region": "Ireland"}, "region"),
    ({"region": "eu-west-1.evil.example"}, "region"),
    ({"access_key_id": None}, "secret_access_key"),
    ({"secret_access_key": None}, "secret_access_key"),
    ({"secret_access_key": SECRET}, "secret_access_key"),
    ({"access_key_id": None, "secret_access_key": None, "session_token": "env:T"}, "session_token"),
    ({"configuration_set": "a b"}, "configuration_set"),
    ({"retries": 3}, "retries"),
])
def test_a_configuration_that_cannot_be_meant(wrong, field):
    """Each mistake is told with its field, and no secret with it."""
    with pytest.raises(ValidationError) as told:
        config(**wrong)
    assert [error["loc"] for error in told.value.errors()] == [(field,)] and SECRET not in str(told.value)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "ap-southeast-2"])
def test_where_the_api_is(region):
    """Where botocore would go."""
    client = Session().create_client("sesv2", region, aws_access_key_id="x", aws_secret_access_key="x")
    assert config(region=region).usual_url == client.meta.endpoint_url
