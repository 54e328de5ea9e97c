"""What the inbox does to everybody, switched while it runs; its login and its limit."""

import asyncio
import json
import smtplib
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from outreach_stream.inbox import Inbox, Limit, Mode
from outreach_stream.inbox.login import granted
from outreach_stream.inbox.modes import ModeFile
from outreach_stream.inbox.rules import grey_seconds

BODY = "Message-ID: <7@s.example>\r\n\r\nHi\r\n"
HALVES = [250, 550, 250, 550]


@contextmanager
def process(*arguments: object):
    """An inbox as a process of its own: its port."""
    command = [sys.executable, "-m", "outreach_stream.inbox", *map(str, arguments)]
    inbox = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield json.loads(inbox.stdout.readline())["port"]
    finally:
        inbox.terminate()
        assert inbox.wait(timeout=10) == 0
        inbox.stdout.close()


def mail(client: smtplib.SMTP, recipient: str = "joe@r.example") -> int:
    """The code that a mail is answered with."""
    try:
        client.sendmail("n@s.example", recipient, BODY)
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients[recipient][0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        return 0
    return 250


def over_new_connection(port: int, recipient: str = "joe@r.example") -> int:
    """The same; 0: the connection was lost."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            return mail(client, recipient)
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    except (smtplib.SMTPServerDisconnected, ConnectionError):
        return 0


@pytest.mark.parametrize(("mode", "anew", "standing"), [
    ("refuse-connections", 0, 0), ("hang-up", 0, 250), ("shutdown", 421, 421), ("block", 554, 554),
    ("login-refused", 530, 530),
])
def test_a_running_inbox_is_switched_by_a_file(tmp_path, mode, anew, standing):
    """The word in the file holds from the next mail on, on connections that stand too, until it is another."""
    switch = tmp_path / "mode"
    with process("--mode-file", switch) as port, smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        before = mail(client)
        switch.write_text(mode + "\n")
        answers = mail(client), over_new_connection(port)
        switch.write_text("normal")
        after = over_new_connection(port)
        client.close()
    assert (before, *answers, after) == (250, standing, anew, 250)


async def test_half_of_the_mails_are_refused():
    """Every second one gets its 550 after the final dot, and is not received."""
    async with Inbox() as inbox:
        inbox.mode = Mode.HALF
        answers = [await asyncio.to_thread(over_new_connection, inbox.port) for _ in HALVES]
        assert answers == HALVES
        assert len(inbox.mails) == 2


async def test_only_those_with_the_password_may_send():
    """Without the login nothing is taken; with `login-refused` the right password is refused as well."""
    def login(port: int, password: str) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            try:
                client.login("robot", password)
            except smtplib.SMTPAuthenticationError as error:
                return error.smtp_code
            return mail(client)

    async with Inbox(credentials=("robot", "s3cret")) as inbox:
        assert await asyncio.to_thread(over_new_connection, inbox.port) == 530
        assert await asyncio.to_thread(login, inbox.port, "s3cret") == 250
        assert await asyncio.to_thread(login, inbox.port, "guess") == 535
        inbox.mode = Mode.LOGIN_REFUSED
        assert await asyncio.to_thread(login, inbox.port, "s3cret") == 535


async def test_a_greylisted_recipient_is_taken_after_its_time():
    """Tries before that do not begin the time anew."""
    async with Inbox() as inbox:
        answers, began = [], time.monotonic()
        while not answers or answers[-1] != 250:
            answers.append(await asyncio.to_thread(over_new_connection, inbox.port, "grey-0.3-joe@r.example"))
            await asyncio.sleep(0.05)
        assert time.monotonic() - began >= 0.3
        assert set(answers[:-1]) == {451} and len(answers) > 2
    assert (grey_seconds("grey-300@x"), grey_seconds("grey@x")) == (300.0, 1.0)


async def test_a_reset_is_a_reset():
    """`reset` ends with RST in the middle of the message, not with a goodbye."""
    async with Inbox() as inbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
        writer.write(b"EHLO me\r\nMAIL FROM:<n@s.example>\r\nRCPT TO:<reset@r.example>\r\nDATA\r\n")
        await reader.readuntil(b"354 end with a dot\r\n")
        writer.write(b"Subject: begun\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_trickled_replies_come_byte_by_byte():
    """A reply takes as long as it has bytes, and what follows it does not overtake it."""
    async with Inbox(pace=0.005) as inbox:
        began = time.monotonic()
        assert await asyncio.to_thread(over_new_connection, inbox.port, "trickle@r.example") == 250
        assert time.monotonic() - began >= 0.005 * len("250 2.1.5 Ok 354 end with a dot 250 2.0.0 Ok: queued")


def test_the_limit_is_a_sliding_second():
    """No second has more than the rate, however it is cut."""
    limit = Limit(2)
    refusals = [limit.refusal(now) for now in (0.0, 0.75, 0.875, 1.0, 1.5, 1.75)]
    assert [bool(refusal) for refusal in refusals] == [False, False, True, False, True, False]
    assert refusals[2].startswith("454 4.7.0")


def test_a_limit_with_a_wait_takes_nothing_meanwhile():
    """After too many it is closed for the whole wait, and says how much of it remains."""
    limit = Limit(1, wait=10)
    refusals = [limit.refusal(now) for now in (0.0, 0.5, 4.5, 10.5)]
    assert refusals[0] is refusals[3] is None
    assert "in 10 seconds" in refusals[1] and "in 6 seconds" in refusals[2]


async def test_above_the_limit_mails_are_refused_but_not_counted():
    """The refusal is at RCPT, and what is refused anyway uses up nothing."""
    async with Inbox(limit=Limit(2)) as inbox:
        names = ("refuse", "joe", "joe", "joe")
        answers = [await asyncio.to_thread(over_new_connection, inbox.port, f"{name}@r.example") for name in names]
        assert answers == [550, 250, 250, 454]


def test_a_mode_file_that_says_nothing_known_changes_nothing(tmp_path, capsys):
    """Half-written, misspelt: the mode stays, and a misspelling is told; without the file it is normal again."""
    path = tmp_path / "mode"
    modes = ModeFile(path)
    seen = [modes.read()]
    for text in ("block", "", "blok", "half"):
        path.write_text(text)
        seen.append(modes.read())
    path.unlink()
    assert [*seen, modes.read()] == ["normal", "block", "block", "block", "half", "normal"]
    assert "blok" in capsys.readouterr().err


@pytest.mark.parametrize("line", [
    "AUTH PLAIN", "AUTH PLAIN ?", "AUTH LOGIN AHJvYm90AHMzY3JldA==", "AUTH PLAIN AHJvYm90AA=="])
def test_a_malformed_login_is_none(line):
    """Only AUTH PLAIN with the right answer in its line."""
    assert not granted(line, ("robot", "s3cret"))
    assert granted("auth plain AHJvYm90AHMzY3JldA==", ("robot", "s3cret"))
