"""The inbox, spoken to by the standard library's client, which is not ours."""

import asyncio
import json
import smtplib
import subprocess
import sys
from contextlib import contextmanager

import pytest

from outreach_stream.inbox import Behaviour, Inbox, InboxRecord, ReceivedMail, Rule
from outreach_stream.inbox.record import RecordWriter
from outreach_stream.inbox.rules import behaviour_for

BODY = b"Subject: Hi\r\nMessage-ID: <7@s.example>\r\n\r\n.dot\r\n.\r\nbye\r\n"


@contextmanager
def process(*arguments: str):
    """An inbox as a process of its own: its port."""
    inbox = subprocess.Popen([sys.executable, "-m", "outreach_stream.inbox", *arguments], stdout=subprocess.PIPE)
    try:
        yield json.loads(inbox.stdout.readline())["port"]
    finally:
        inbox.terminate()
        assert inbox.wait(timeout=10) == 0
        inbox.stdout.close()


def send(port: int, *recipients: str, body: bytes = BODY):
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        return client.sendmail("n@s.example", recipients, body)


def test_a_process_receives_and_records(tmp_path):
    """Each mail is one line, there before the sender is answered; the bytes are kept; SIGTERM ends it."""
    record = InboxRecord(tmp_path / "record.jsonl")
    with process("--record", str(record.path), "--keep", str(tmp_path / "kept"), "--keep-last", "2") as port:
        for recipient in ("a@r.example", "b@r.example", "b@r.example"):
            send(port, recipient)
        mails = list(record.mails())
    assert [mail.recipient for mail in mails] == ["a@r.example", "b@r.example", "b@r.example"]
    assert record.by_message_id() == {"<7@s.example>": 3}
    assert record.recipients() == {"a@r.example": 1, "b@r.example": 2}
    assert mails[0].size == len(BODY)
    assert mails[0].began <= mails[0].at
    assert [path.read_bytes() for path in (tmp_path / "kept").iterdir()] == [BODY, BODY]


def test_rules_of_the_command_line_come_first(tmp_path):
    """--rule decides before the names do."""
    with process("--rule", "refuse=.*@nowhere[.]example", "--rule", "accept=refuse@.*") as port:
        send(port, "refuse@r.example")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(port, "joe@nowhere.example")


@pytest.fixture
async def inbox():
    async with Inbox(max_size=1_000, pace=0.01) as inbox:
        yield inbox


async def outcome(inbox: Inbox, recipient: str, body: bytes = BODY):
    try:
        await asyncio.to_thread(send, inbox.port, recipient, body=body)
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (smtplib.SMTPServerDisconnected, ConnectionError, TimeoutError):
        return "lost"
    return 250


@pytest.mark.parametrize(("name", "answers", "received"), [
    ("joe", [250, 250], 2), ("refused", [250], 1), ("refuse-1", [550, 550], 0), ("defer.2", [451, 250, 250], 2),
    ("busy", [451, 451], 0), ("throttle", [451], 0), ("block", [554], 0), ("shutdown", [421], 0),
    ("drop", ["lost"], 0), ("doubt", ["lost"], 1), ("slow", [250], 1), ("reject", [550], 0), ("reset", ["lost"], 0),
    ("shutdown-data", [421], 0), ("shutdown-dot.1", [421], 0), ("sip-1", [250], 1), ("trickle", [250], 1),
    ("doubt-once", ["lost", 250], 2),
])
async def test_recipients_choose_their_fate(inbox, name, answers, received):
    """The name of the recipient tells what happens, and only what was received is recorded."""
    assert [await outcome(inbox, f"{name}@r.example") for _ in answers] == answers
    assert len(inbox.mails) == received


async def test_a_large_message_is_refused(inbox):
    """SIZE is enforced, at MAIL and after the dot."""
    assert await outcome(inbox, "joe@r.example", b"x" * 2_000) == 552
    assert not inbox.mails


async def test_a_pipelined_stream_is_understood_however_it_is_cut(inbox):
    """Commands, message and the next commands in one stream, byte by byte or all at once."""
    one = b"MAIL FROM:<n@s.example> BODY=8BITMIME\r\nRCPT TO:<%s@r.example>\r\nDATA\r\n" + BODY.replace(
        b"\r\n.", b"\r\n..") + b".\r\n"
    stream = b"EHLO me\r\n" + one % b"a" + one % b"b" + b"QUIT\r\n"
    for size in (1, 7, len(stream)):
        reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
        for start in range(0, len(stream), size):
            writer.write(stream[start: start + size])
            await asyncio.sleep(0)
        replies = [line[:3] for line in (await reader.read()).splitlines() if line[3:4] == b" "]
        assert replies == [b"220", b"250", *[b"250", b"250", b"354", b"250"] * 2, b"221"]
        writer.close()
    assert set(inbox.contents) == {BODY}
    assert len(inbox.contents) == 6


async def test_latency_delays_every_reply():
    """A reply comes as late as was asked for."""
    async with Inbox(latency=0.05) as inbox:
        began = asyncio.get_running_loop().time()
        assert await outcome(inbox, "joe@r.example") == 250
        assert asyncio.get_running_loop().time() - began > 0.3  # greeting, EHLO, MAIL, RCPT, DATA, dot


def test_the_record_counts_windows(tmp_path):
    """The fullest second is found wherever it begins, and a half-written line is not read."""
    writer = RecordWriter(tmp_path / "record")
    for began in (0.0, 0.9, 1.5, 1.6, 1.89, 2.0, 5.0):
        writer.write(ReceivedMail(began, began, f"<{began}>", "", "joe", 1, answered=True))
    writer.close()
    with (tmp_path / "record").open("a") as file:
        file.write('{"began": 9')
    record = InboxRecord(tmp_path / "record")
    assert record.max_in_window() == 4
    assert record.max_in_window(0.2) == 2
    assert len(list(record.mails())) == 7
    assert list(InboxRecord(tmp_path / "none").mails()) == []


def test_rules_are_parsed():
    """A rule names a behaviour and whom it meets; names are words, not beginnings of words."""
    assert behaviour_for("hangzhou@x") is Behaviour.ACCEPT
    assert behaviour_for("dropbox@x") is Behaviour.ACCEPT
    assert behaviour_for("DROP-1@x") is Behaviour.DROP
    with pytest.raises(ValueError):
        Rule.parse("refuse")
    with pytest.raises(ValueError):
        Rule.parse("explode=.*")
