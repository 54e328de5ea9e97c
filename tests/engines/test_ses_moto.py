"""The SES engine against moto, an SES that is not ours; and its preflight, against answers as AWS describes them."""

from email import message_from_string, policy
from urllib.request import Request, urlopen

import pytest
from botocore.session import Session
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

from outreach_stream.domain.message import Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, EngineStopped
from outreach_stream.engines.ses import build, check
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered

from .ses_stage import ACCOUNT, CONTENT, PRODUCTION, SECRET, TOLD, api, config, mail


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("SES_SECRET", SECRET)


@pytest.fixture(scope="module")
def moto():
    """Its address; `example.com` is verified."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = Session().create_client("sesv2", "eu-west-1", endpoint_url=url, aws_access_key_id="x",
                                     aws_secret_access_key="x")
    client.create_email_identity(EmailIdentity="example.com")
    yield url
    urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
    server.stop()


def received() -> list:
    """What moto took, since the last time."""
    messages = ses_backends["123456789012"]["eu-west-1"].sent_messages
    taken = messages.copy()
    messages.clear()
    return taken


async def handed_over(url: str, *messages) -> list:
    engine = build(config(base_url=url, rate=100))
    outcomes = []
    for message in messages:
        connection = await engine.acquire()
        outcomes.append(await connection.hand_over(message))
        engine.release(connection)
    await engine.close()
    return outcomes


async def test_moto_gets_our_bytes(moto):
    """A mail with everything in it that is hard arrives byte by byte, its sender named as in its header."""
    skeleton = MessageSkeleton(Mailbox("news@example.com", 'Jürgen "Müller" & Söhne, ' + "名前" * 30))
    told = skeleton.mail(Mailbox("r@r.example", "Zoë"), Rendered(
        "Grüße 🎉 " * 20, "Dots:\n.\n..\nÄ\n", "<p>Ä</p>" * 200, "https://s.example/u/1", (("X-Run", "7"),)))
    message = OutgoingMessage("<7@example.com>", "news@example.com", "r@r.example", told,
                              lambda **how: skeleton.write(told, message_id="<7@example.com>", second=1, **how))

    [outcome] = await handed_over(moto, message)

    [taken] = received()
    assert outcome == Accepted(taken.id) and taken.raw_data.encode() == message.mime()
    read, source = (message_from_string(text, policy=policy.default)
                    for text in (taken.raw_data, f"From: {taken.source}\n\n"))
    assert read["From"].addresses == source["From"].addresses and "Söhne" in str(read["From"])
    assert (read["Message-ID"], read["X-Run"]) == ("<7@example.com>", "7")
    assert (read["List-Unsubscribe"], read["List-Unsubscribe-Post"]) == (
        "<https://s.example/u/1>", "List-Unsubscribe=One-Click")


async def test_moto_closes_each_connection(moto):
    """A server that says `Connection: close` after each answer gets mail after mail, each once."""
    outcomes = await handed_over(moto, *(mail(recipient=f"r{i}@r.example") for i in range(5)))
    taken = received()
    assert outcomes == [Accepted(each.id) for each in taken]
    assert [each.destinations[0] for each in taken] == [f"r{i}@r.example" for i in range(5)]


async def test_a_sender_that_is_not_verified_stops_the_engine(moto):
    """Nobody's mail would go out; nothing was taken."""
    [outcome] = await handed_over(moto, mail(CONTENT.replace(b"example.com", b"stranger.example")))
    assert isinstance(outcome, EngineStopped) and received() == []


def identity(name: str) -> tuple[str, str]:
    return "GET", f"/v2/email/identities/{name}"


VERIFIED = (200, {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": True,
                  "DkimAttributes": {"SigningEnabled": True, "Status": "SUCCESS", "Tokens": ["x"]}})


async def preflight(answers: dict, *senders: str, **more) -> dict[str, list]:
    """What was found, by step."""
    found: dict[str, list] = {}
    async with api(answers) as (url, _):
        async for finding in check(config(base_url=url, **more), senders or ("news@mail.example.com",)):
            found.setdefault(finding.step, []).append(finding)
    return found


async def test_the_preflight_of_an_account_that_is_ready():
    """Key, quota and sender are good; a domain above the sender's stands for it."""
    found = await preflight({ACCOUNT: TOLD, identity("example.com"): VERIFIED})
    assert list(found) == ["settings", "dns", "connect", "login", "quota", "sender"]
    assert all(finding.good for each in found.values() for finding in each)
    assert "14 mails a second, 50000 in 24 hours" in found["quota"][0].text
    assert "example.com" in found["sender"][0].text and SECRET not in str(found)


@pytest.mark.parametrize(("answer", "good", "says"), [
    ((403, {"message": "The security token included in the request is invalid."},
      {"x-amzn-ErrorType": "UnrecognizedClientException"}), False, "access_key_id"),
    ((403, {"message": "Signature expired: 20261124T190000Z is now earlier than 20261124T193000Z"},
      {"x-amzn-ErrorType": "InvalidSignatureException"}), False, "clock"),
    ((403, {"message": "not authorized"}, {"x-amzn-ErrorType": "AccessDeniedException"}), True, "may not ask"),
    ((404, {}), False, "base_url"),
])
async def test_a_login_that_is_not_whole(answer, good, says):
    """A wrong key, a wrong clock, a key that may do little, and something that is not SES."""
    found = await preflight({ACCOUNT: answer})
    assert found["login"][0].good is good and says in found["login"][0].text
    assert ("quota" in found) is good and (not good or found["quota"][0].good is None)


@pytest.mark.parametrize(("account", "good", "says"), [
    ({"SendingEnabled": False}, [False], "disabled"),
    ({"EnforcementStatus": "PROBATION"}, [True, None], "under review"),
    ({"ProductionAccessEnabled": False}, [True, None], "sandbox"),
    ({"SendQuota": {"Max24HourSend": 200, "MaxSendRate": 1, "SentLast24Hours": 200}}, [False], "200 of 200"),
    ({"SendQuota": {"Max24HourSend": -1, "MaxSendRate": 1, "SentLast24Hours": 9}}, [True], "no daily limit"),
])
async def test_an_account_that_is_not_ready(account, good, says):
    """Each restriction is told, with what to do."""
    found = (await preflight({ACCOUNT: (200, PRODUCTION | account)}))["quota"]
    assert [finding.good for finding in found] == good and says in found[-1].text


@pytest.mark.parametrize(("answers", "good", "says"), [
    ({}, False, "neither"),
    ({identity("news%40mail.example.com"): (200, {"VerifiedForSendingStatus": False})}, False, "waits"),
    ({identity("news%40mail.example.com"): (200, {"VerifiedForSendingStatus": False}),
      identity("example.com"): VERIFIED}, True, "example.com is verified"),
    ({identity("mail.example.com"): (200, VERIFIED[1] | {"DkimAttributes": {"SigningEnabled": False}})}, None, "DKIM"),
    ({identity("news%40mail.example.com"): (403, {}, {"x-amzn-ErrorType": "AccessDeniedException"})}, None,
     "ses:GetEmailIdentity"),
])
async def test_a_sender(answers, good, says):
    """Unknown, waiting, verified by a domain above, not signed for, and not told."""
    [finding] = (await preflight({ACCOUNT: TOLD} | answers))["sender"]
    assert finding.good is good and says in finding.text
