"""What all stand-ins of HTTP providers have in common: behaviours, modes, the limit, the record."""

import asyncio
import json
import subprocess
import sys

import httpx
import pytest

from outreach_stream.inbox import InboxRecord, Limit, Mode
from outreach_stream.inbox.providers import KINDS
from tests.inbox.providers import client_of

STATUSES = {
    "sendgrid": {"accept": 202, "refuse": 400, "busy": 500, "throttle": 429, "block": 403, "reject": 400, "stop": 401,
                 "huge": 413, "shutdown": 503},
    "mailgun": {"accept": 200, "refuse": 400, "busy": 500, "throttle": 429, "block": 403, "reject": 400, "stop": 403,
                "huge": 413, "shutdown": 503},
    "ses": {"accept": 200, "refuse": 400, "busy": 500, "throttle": 429, "block": 400, "reject": 400, "stop": 400,
            "huge": 400, "shutdown": 503},
}


@pytest.fixture(params=KINDS)
async def client(request):
    async with client_of(request.param, pace=0.01) as client:
        yield client


async def test_recipients_choose_their_fate(client):
    """The local part of the recipient tells what is answered, and only what was accepted is received."""
    for name, status in STATUSES[client.kind].items():
        assert (name, await client.send(f"{name}-1@r.example")) == (name, status)
    assert [mail.recipient for mail in client.inbox.mails] == ["accept-1@r.example"]
    assert client.inbox.attempts == len(STATUSES[client.kind])


async def test_a_mail_is_recorded_as_the_smtp_inbox_records_it(client):
    """Message-ID, sender and recipient are those of the mail, however the provider is told them."""
    await client.send()
    mail = client.inbox.mails[0]
    assert (mail.message_id, mail.sender, mail.recipient) == ("<7@s.example>", "n@s.example", "joe@r.example")
    assert mail.answered
    assert mail.began <= mail.at
    assert b"Hello" in client.inbox.contents[0]


@pytest.mark.parametrize(("name", "answered", "received"), [
    ("drop", False, []), ("reset", False, []), ("doubt", False, [False]), ("silence", False, [False]),
    ("slow", True, [True]), ("trickle", True, [True]), ("sip", True, [True]), ("early", True, []),
])
async def test_connections_end_as_the_recipient_asks(client, name, answered, received):
    """With an answer, without one, before the mail was received or after it."""
    client.http.timeout = httpx.Timeout(1)
    assert bool(await client.send(f"{name}@r.example")) is answered
    assert [mail.answered for mail in client.inbox.mails] == received


async def test_passing_troubles_pass(client):
    """`defer` is busy once, `doubt-once` loses the first answer; then both are accepted."""
    for name, expected in (("defer", STATUSES[client.kind]["busy"]), ("doubt-once", 0)):
        assert await client.send(f"{name}@r.example") == expected
        assert await client.send(f"{name}@r.example") == STATUSES[client.kind]["accept"]


async def test_a_drop_comes_before_a_large_request_is_read():
    """The connection ends when the recipient is known, however much is still to come: nobody can have read it."""
    async with client_of("sendgrid") as client:
        request = client.request("drop@r.example", content=[{"type": "text/plain", "value": "x" * 20_000_000}])
        with pytest.raises(httpx.TransportError):
            await client.http.send(request)
        assert client.inbox.attempts == 0


async def test_an_early_answer_comes_before_a_large_request_is_read():
    """It arrives, and says that the connection ends."""
    async with client_of("sendgrid") as client:
        body = client.request("early@r.example", content=[{"type": "text/plain", "value": "x" * 20_000_000}])
        reader, writer = await asyncio.open_connection("127.0.0.1", client.inbox.port)
        head = b"".join(b"%s: %s\r\n" % pair for pair in body.headers.raw)
        writer.write(b"POST /v3/mail/send HTTP/1.1\r\n" + head + b"\r\n" + body.content[:1_000])
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()
        writer.close()


async def test_a_request_over_the_limit_is_refused():
    """It is read, answered as too large, and not received."""
    for kind in KINDS:
        async with client_of(kind, max_size=500) as client:
            assert await client.send("a" * 500 + "@r.example") == STATUSES[kind]["huge"]
            assert not client.inbox.mails


@pytest.mark.parametrize(("mode", "status"), [
    (Mode.BLOCK, "block"), (Mode.SHUTDOWN, "shutdown"), (Mode.LOGIN_REFUSED, None),
    (Mode.REFUSE_CONNECTIONS, None), (Mode.HANG_UP, None),
])
async def test_modes_hold_for_everybody(client, mode, status):
    """Whoever the recipient is, until the mode is another."""
    client.inbox.mode = mode
    refused = {Mode.LOGIN_REFUSED: {"ses": 403}.get(client.kind, 401)}.get(mode, 0)
    assert await client.send() == (STATUSES[client.kind][status] if status else refused)
    client.inbox.mode = None
    assert await client.send() == STATUSES[client.kind]["accept"]


async def test_above_the_limit_there_is_429(client):
    """With the wait, where there is one and the provider tells any."""
    client.inbox._limit = Limit(1, wait=9)
    assert [await client.send(), await client.send()] == [STATUSES[client.kind]["accept"], 429]
    assert len(client.inbox.mails) == 1
    headers = client.last.headers
    if client.kind == "mailgun":
        assert headers["Retry-After"] == "9"
    elif client.kind == "sendgrid":
        assert int(headers["X-RateLimit-Reset"]) - client.inbox.now() == pytest.approx(9, abs=1.5)
    else:
        assert "Retry-After" not in headers


async def test_many_requests_on_one_connection(client):
    """Connections are kept, also by those who send the next request before the answer has come."""
    for number in range(5):
        await client.send(f"joe-{number}@r.example")
    assert client.inbox.connections == 1
    request = client.request("pipelined@r.example")
    head = b"".join(b"%s: %s\r\n" % pair for pair in request.headers.raw)
    once = f"POST {request.url.path} HTTP/1.1\r\n".encode() + head + b"\r\n" + b"".join([
        part async for part in request.stream])
    reader, writer = await asyncio.open_connection("127.0.0.1", client.inbox.port)
    writer.write(once * 3)
    answers = [await reader.readuntil(b"\r\n\r\n") for _ in range(2)]
    assert all(b"HTTP/1.1 20" in answer for answer in answers)
    writer.close()


async def test_what_is_no_http_gets_400():
    """Someone who speaks SMTP to it is told so, and the connection ends."""
    async with client_of("mailgun") as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.inbox.port)
        writer.write(b"EHLO me\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


def test_a_process_receives_and_records(tmp_path):
    """`--provider` makes the program a stand-in, with the options of the inbox."""
    record = InboxRecord(tmp_path / "record")
    command = [sys.executable, "-m", "outreach_stream.inbox", "--provider", "mailgun", "--auth", "s.example:k",
               "--record", str(record.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as inbox:
        port = json.loads(inbox.stdout.readline())["port"]
        form = {"from": "n@s.example", "to": "joe@r.example", "text": "Hi", "h:Message-ID": "<8@s.example>"}
        answer = httpx.post(f"http://127.0.0.1:{port}/v3/s.example/messages", data=form, auth=("api", "k"))
        inbox.terminate()
    assert answer.json()["message"].startswith("Queued")
    assert record.by_message_id() == {"<8@s.example>": 1}
