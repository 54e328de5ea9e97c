"""MAIL, RCPT and DATA in one write (RFC 2920): which of them was refused, and what the next mail finds."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    MessageRejected,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from tests.messages import raw

OK, GO = "250 2.1.0 ok", "354 go on"
ANSWERS = {
    "fine": (OK, OK, GO, "250 2.0.0 ok"),
    "mail": ("550 5.7.1 not you", "503 5.5.1 MAIL first", "503 5.5.1 RCPT first", ""),
    "mail-busy": ("451 4.3.0 later", "503 5.5.1 MAIL first", "503 5.5.1 RCPT first", ""),
    "mail-login": ("530 5.7.0 log in", "530 5.7.0 log in", "530 5.7.0 log in", ""),
    "mail-fast": ("450 4.7.1 too many messages, slow down", "503 MAIL first", "503 RCPT first", ""),
    "rcpt": (OK, "550 5.1.1 no such user", "554 5.5.1 no valid recipients", ""),
    "rcpt-503": (OK, "550-5.1.1 no such user\r\n550 5.1.1 at all", "503 5.5.1 RCPT first", ""),
    "rcpt-busy": (OK, "452 4.2.2 mailbox full", "554 5.5.1 no valid recipients", ""),
    "rcpt-bare": (OK, "550 no", "554 no", ""),
    "data": (OK, OK, "554 5.6.0 not that", ""),
    "data-busy": (OK, OK, "451 4.3.1 disk full", ""),
    "dot": (OK, OK, GO, "554 5.6.0 malformed"),
    "dot-busy": (OK, OK, GO, "452 4.3.1 disk full"),
}
"""By the recipient's name: the replies to MAIL, RCPT, DATA and the dot."""

MEANING = {
    "fine": (Accepted, None), "mail": (SenderBlocked, "mail_550_5.7.1"), "mail-busy": (Transient, "mail_451_4.3.0"),
    "mail-login": (EngineStopped, "mail_530_5.7.0"), "mail-fast": (Throttled, "mail_450_4.7.1"),
    "rcpt": (RecipientRejected, "rcpt_550_5.1.1"), "rcpt-503": (RecipientRejected, "rcpt_550_5.1.1"),
    "rcpt-busy": (Transient, "rcpt_452_4.2.2"), "rcpt-bare": (RecipientRejected, "rcpt_550"),
    "data": (MessageRejected, "data_554_5.6.0"), "data-busy": (Transient, "data_451_4.3.1"),
    "dot": (MessageRejected, "dot_554_5.6.0"), "dot-busy": (Transient, "dot_452_4.3.1"),
}


class Server:
    """Answers each command when it has read it, as a real server does, and writes down what it was told."""

    def __init__(self, *, pipelining: bool) -> None:
        self.hello = "250-x\r\n250-PIPELINING\r\n250 8BITMIME" if pipelining else "250 x"
        self.told: list[str] = []
        self.taken: list[str] = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(f"{self.hello}\r\n".encode())
        while word := (await reader.readline()).decode().strip():
            self.told.append(word[:4])
            if word == "QUIT":
                break
            await self.answer(word, reader, writer)
        writer.close()

    async def answer(self, word, reader, writer):
        if word == "RSET":
            writer.write(b"250 2.0.0 ok\r\n")
        elif word.startswith("MAIL"):
            self.mail = ANSWERS[word.partition("<")[2].partition("@")[0]]
            writer.write(f"{self.mail[0]}\r\n".encode())
        elif word.startswith("RCPT"):
            self.name = word.partition("<")[2].partition("@")[0]
            writer.write(f"{self.mail[1]}\r\n".encode())
        else:
            writer.write(f"{self.mail[2]}\r\n".encode())
            if self.mail[2] == GO:
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(f"{self.mail[3]}\r\n".encode())
                if self.mail[3].startswith("250"):
                    self.taken.append(self.name)


@asynccontextmanager
async def connected(*, pipelining: bool = True):
    server = Server(pipelining=pipelining)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        engine = SmtpEngine(SmtpConfig.model_validate({
            "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": listening.sockets[0].getsockname()[1],
            "security": "none", "timeouts": {"command": "1s", "data": "1s"}}))
        connection = await engine.acquire()
        yield server, connection
        engine.release(connection)
        await engine.close()


async def met(connection, name: str):
    outcome = await connection.hand_over(raw("<1@s>", f"{name}@s.example", f"{name}@r.example"))
    return type(outcome), getattr(outcome, "reason", None)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("name", MEANING)
async def test_the_first_refusal_decides_and_the_connection_goes_on(name, pipelining):
    """The command and its codes are those of the outcome; the next mail is accepted, on the same connection."""
    async with connected(pipelining=pipelining) as (server, connection):
        assert await met(connection, name) == MEANING[name]
        assert connection.reusable
        assert await met(connection, "fine") == MEANING["fine"]
        assert server.connections == 1
        assert server.told.count("RSET") == (name != "fine")
        assert connection.handed_over


async def test_one_write_for_all_three():
    """A round trip, not three; the message itself goes after 354."""
    async with connected() as (_, connection):
        written: list[bytes] = []
        real = connection.wire.write
        connection.wire.write = lambda data, expect=0: (written.append(data), real(data, expect))
        await met(connection, "fine")
        envelope, content = written
        assert [line[:4] for line in envelope.split(b"\r\n")] == [b"MAIL", b"RCPT", b"DATA", b""]
        assert content.endswith(b"\r\n.\r\n")


@pytest.mark.parametrize("seed", range(5))
async def test_replies_never_shift(seed):
    """A hundred mails in any order, refused at any command: each gets its own answer, and none is taken unasked."""
    order = random.Random(seed).choices(list(MEANING), k=100)
    async with connected() as (server, connection):
        assert [await met(connection, name) for name in order] == [MEANING[name] for name in order]
        assert server.taken == ["fine"] * order.count("fine")
        assert server.connections == 1


@pytest.mark.parametrize("name", ["rcpt", "mail"])
async def test_a_server_that_says_354_all_the_same_gets_nothing(monkeypatch, name):
    """RFC 2920 section 3.1 allows it: no message follows a refusal, and the connection is not used again."""
    refused = [*ANSWERS[name][:2], GO, "250 2.0.0 ok"]
    monkeypatch.setitem(ANSWERS, name, tuple(refused))
    async with connected() as (server, connection):
        assert await met(connection, name) == MEANING[name]
        assert not connection.handed_over
        assert not connection.reusable
        assert server.taken == []
