"""A chain of mails whose names say what a server answers them, and that server."""

import asyncio
from contextlib import asynccontextmanager

from outreach_stream.domain.outcomes import Failure
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from tests.messages import PLAIN, raw

OK, GO, YES = "250 2.1.0 ok", "354 go on", "250 2.0.0 ok"
ENVELOPE = b"250 ok\r\n250 ok\r\n354 go\r\n"
LOST = None
"""Instead of an answer the connection is closed."""
NO_MAIL, NO_RCPT = "503 5.5.1 MAIL first", "503 5.5.1 RCPT first"

ANSWERS = {
    "fine": (OK, OK, GO, YES),
    "mail": ("550 5.7.1 not you", NO_MAIL, NO_RCPT, ""),
    "mail-busy": ("451 4.3.0 later", NO_MAIL, NO_RCPT, ""),
    "mail-421": ("421 4.3.2 closing", LOST, "", ""),
    "mail-lost": (LOST, "", "", ""),
    "rcpt": (OK, "550 5.1.1 no such user", "554 5.5.1 no valid recipients", ""),
    "rcpt-354": (OK, "550 5.1.1 no such user", GO, YES),
    "rcpt-421": (OK, "421 4.3.2 closing", LOST, ""),
    "rcpt-lost": (OK, LOST, "", ""),
    "data": (OK, OK, "451 4.3.1 disk full", ""),
    "data-250": (OK, OK, YES, ""),
    "data-lost": (OK, OK, LOST, ""),
    "dot": (OK, OK, GO, "554 5.6.0 malformed"),
    "dot-busy": (OK, OK, GO, "452 4.3.1 disk full"),
    "dot-fast": (OK, OK, GO, "451 4.7.1 too many messages, slow down"),
    "dot-421": (OK, OK, GO, "421 4.3.2 closing"),
    "dot-354": (OK, OK, GO, "354 again?"),
    "dot-nonsense": (OK, OK, GO, "nonsense"),
    "dot-lost": (OK, OK, GO, LOST),
}
"""By the recipient's name: the answers to MAIL, RCPT, DATA and the dot."""


async def asked(reader, writer):
    """A server by hand: past its greeting, with the commands of the first mail read and answered in one packet."""
    writer.write(b"220 x\r\n")
    await reader.readline()
    writer.write(b"250-x\r\n250 PIPELINING\r\n")
    await reader.readuntil(b"DATA\r\n")
    writer.write(ENVELOPE)


def mail(name: str, content: bytes = PLAIN):
    return raw("<1@s>", f"{name}@s.example", f"{name}@r.example", content)


class Queue:
    """A chain (see `outreach_stream.domain.ports.Chain`) that notes what is asked of it."""

    def __init__(self, *mails, go=lambda _: True, halts: bool = False) -> None:
        self.mails = [mail(each) if isinstance(each, str) else each for each in mails]
        self.allowed, self.halts = go, halts
        self.begun = self.gone = 0
        self.ended_at: list[int] = []
        self.outcomes: list = []

    def next(self):
        if self.begun == len(self.mails) or (self.halts and self.begun):
            return None
        self.begun += 1
        return self.mails[self.begun - 1]

    def go(self) -> bool:
        self.gone += 1
        return self.allowed(self.gone)

    def ended(self, outcome) -> None:
        self.ended_at.append(self.begun)
        self.outcomes.append(outcome)

    @property
    def met(self) -> list[tuple]:
        return [(type(each), getattr(each, "reason", None)) for each in self.outcomes]

    @property
    def kinds(self) -> list[type]:
        return [type(each) for each in self.outcomes]


class Server:
    """Answers each command when it has read it, as a real server does, and writes down what it was told."""

    def __init__(self, *, pipelining: bool = True) -> None:
        self.hello = "250-x\r\n250-PIPELINING\r\n250 8BITMIME" if pipelining else "250 x"
        self.told: list[str] = []
        self.taken: list[str] = []
        self.connections = 0
        self.nested = OK
        """What it says to MAIL after a refused body, unless RSET came before."""
        self.bodies = 0
        self.patience = 1_000
        """Messages after which it closes."""

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            writer.write(b"220 x\r\n")
            await reader.readline()
            writer.write(f"{self.hello}\r\n".encode())
            await self._session(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _session(self, reader, writer):
        spoilt, messages, answers = False, 0, ()
        while (word := (await reader.readline()).decode().strip()) not in ("", "QUIT"):
            self.told.append(word[:4])
            if word.startswith("MAIL"):
                answers = ANSWERS[name := word.partition("<")[2].partition("@")[0]]
            answer = self.nested if spoilt and word.startswith("MAIL") and self.nested != OK \
                else OK if word == "RSET" else answers[("MAIL", "RCPT", "DATA").index(word[:4])]
            if answer is LOST:
                return
            writer.write(f"{answer}\r\n".encode())
            spoilt = spoilt and word != "RSET"
            if answer == GO:
                messages += 1
                if (told := await self._body(reader, writer, name, answers[3])) in ("421", "") \
                        or messages == self.patience:
                    return
                spoilt = told != "250"

    async def _body(self, reader, writer, name: str, answer: str | None) -> str:
        """Take one; the code of the answer."""
        await reader.readuntil(b"\r\n.\r\n")
        self.bodies += 1
        if answer is LOST:
            return ""
        writer.write(f"{answer}\r\n".encode())
        if answer == YES:
            self.taken.append(name)
        return answer[:3]


@asynccontextmanager
async def chained(*, server: Server | None = None, serve=None, ssl=None, **settings):
    """An engine before `server` (or what `serve` does), and the server."""
    server = server or Server()
    async with await asyncio.start_server(serve or server.serve, "127.0.0.1", 0, limit=2**22, ssl=ssl) as listening:
        engine = SmtpEngine(SmtpConfig.model_validate({
            "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": listening.sockets[0].getsockname()[1],
            "security": "none", "concurrency": 1, "timeouts": {"command": "1s", "data": "1s"}} | settings))
        yield engine, server
        await engine.close()


@asynccontextmanager
async def lent(engine: SmtpEngine):
    connection = await engine.acquire()
    assert not isinstance(connection, Failure), connection
    try:
        yield connection
    finally:
        engine.release(connection)


def written(connection) -> list[bytes]:
    """What goes out over it from now on, by write."""
    writes: list[bytes] = []
    real = connection.wire.write
    connection.wire.write = lambda data, **options: (writes.append(data), real(data, **options))
    return writes
