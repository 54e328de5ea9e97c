"""SES's stand-in knows a good signature from a bad one, and a request by AWS's own description of it."""

import json
from base64 import b64encode

import pytest

from outreach_stream.inbox.providers.provider import Asked
from outreach_stream.inbox.providers.sigv4 import Unsigned, canonical, verify
from tests.inbox.providers import client_of

PATH = "/v2/email/outbound-emails"
SIMPLE = {"Subject": {"Data": "Grüße"}, "Body": {"Text": {"Data": "Hello"}, "Html": {"Data": "<p>Hello"}}}


@pytest.fixture
async def client():
    async with client_of("ses") as client:
        yield client


def raw(message):
    return {"Content": {"Raw": {"Data": b64encode(message).decode()}}}


@pytest.mark.parametrize(("changes", "words"), [
    ({"Destination": {"ToAddresses": ["joe"]}}, "Missing final '@domain'"),
    ({"Destination": {"ToAddresses": ["Joe <joe@r.example>"]}}, None),
    ({"Destination": {"ToAddresses": [f"{n}@r.example" for n in range(51)]}}, "Recipient count exceeds 50"),
    ({"Destination": {}}, "must be specified"),
    ({"FromEmailAddress": "Zoë <n@s.example>"}, "Local address"),
    ({"Content": {}}, "Exactly one of"),
    ({"Content": {"Raw": {"Data": "?"}}}, "base64"),
    (raw(b"Subject: x\r\n\r\n"), "'From'"),
    (raw(b"From: n@s.example\r\n\r\n" + b"x" * 999 + b"\r\n"), "1000 octets"),
    ({"Contents": {}}, "Unknown parameter"),
    ({"EmailTags": [{"Name": "a"}]}, "Missing required parameter"),
    ({"EmailTags": [{"Name": "a", "Value": "b c"}]}, "Tag names and values"),
    ({"EmailTags": [{"Name": "campaign", "Value": "spring-1"}], "ConfigurationSetName": "set"}, None),
    ({"TenantName": ""}, "Invalid length"),
    ({"Content": {"Simple": SIMPLE}}, None),
    ({"Content": {"Simple": SIMPLE | {"Headers": [{"Name": "X-A", "Value": "Grüße"}]}}}, "pattern"),
    ({"Content": {"Simple": SIMPLE | {"Headers": [{"Name": "X-A", "Value": "1"}] * 16}}}, "length less than"),
    ({"Content": {"Simple": SIMPLE | {"Attachments": [
        {"RawContent": "SGk=", "FileName": "a", "ContentDisposition": "in"}]}}}, "enum"),
])
async def test_a_request_is_checked_against_the_description(client, changes, words):
    """Names, types, presence, lengths, patterns; the error's name is in a header."""
    status = await client.send(**changes)
    if words:
        assert (status, client.last.headers["x-amzn-ErrorType"]) == (400, "BadRequestException")
        assert words in client.last.json()["message"]
        assert not client.inbox.mails
    else:
        assert status == 200
        assert client.last.json()["MessageId"]


async def test_what_is_not_signed_is_refused(client):
    """Another secret, another key, none at all, or a body that was changed."""
    body = json.dumps({"FromEmailAddress": "n@s.example"}).encode()
    forged = client.signed("POST", PATH, body, secret="other")
    changed = client.signed("POST", PATH, body)
    changed = client.http.build_request("POST", PATH, content=body + b" ", headers=changed.headers.items() - {
        ("content-length", str(len(body)))})
    unsigned = client.http.build_request("POST", PATH, content=body)
    codes = [(await client.http.send(each)).headers["x-amzn-ErrorType"] for each in (forged, changed, unsigned)]
    assert codes == ["InvalidSignatureException", "InvalidSignatureException", "MissingAuthenticationTokenException"]


async def test_the_quota_is_told(client):
    """`GetAccount`, signed like everything else; other operations are not known."""
    account = (await client.http.send(client.signed("GET", "/v2/email/account"))).json()
    assert account["SendQuota"] == {"Max24HourSend": -1.0, "MaxSendRate": 1_000.0, "SentLast24Hours": 0.0}
    assert (await client.http.send(client.signed("GET", "/v2/email/contact-lists?PageSize=2"))).status_code == 404


def test_the_example_of_the_documentation_is_verified():
    """AWS's worked example (General Reference, "Signature Version 4 test suite", get-vanilla-query-order-key-case)."""
    asked = Asked("GET", "/?Param2=value2&Param1=value1", {
        "host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    }, b"", 1440938160.0)
    told = {"key_id": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service": "service"}
    assert canonical(asked, ["host", "x-amz-date"]).splitlines()[2] == "Param1=value1&Param2=value2"
    assert verify(asked, **told) == "us-east-1"
    for changes, code in (
        ({"now": 1440938160.0 + 901}, "InvalidSignatureException"), ({"method": "PUT"}, "InvalidSignatureException"),
        ({"headers": asked.headers | {"x-amz-date": "yesterday"}}, "IncompleteSignatureException"),
    ):
        with pytest.raises(Unsigned) as refused:
            verify(asked._replace(**changes), **told)
        assert refused.value.code == code
    for changes in ({"key_id": "OTHER"}, {"service": "ses"}):
        with pytest.raises(Unsigned):
            verify(asked, **(told | changes))
