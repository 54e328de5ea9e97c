"""The inbox itself: listens, judges recipients, keeps what it received."""

import asyncio
import re
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from outreach_stream.inbox.record import ReceivedMail, RecordWriter
from outreach_stream.inbox.rules import Behaviour, Rule, behaviour_for
from outreach_stream.inbox.session import Session

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Inbox:
    """Listens while its context is entered: `async with Inbox() as inbox: ... inbox.port`.

    `record`: the file that gets a line for each mail. `keep`: a folder for the last `keep_last` messages,
    a file each. `latency`: seconds by which every reply is late. It also lists what it received in `mails`.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, record: Path | None = None,
                 keep: Path | None = None, keep_last: int = 100, rules: tuple[Rule, ...] = (),
                 latency: float = 0.0, extensions: tuple[str, ...] = EXTENSIONS,
                 max_size: int = 10_000_000) -> None:
        self.host, self.port = host, port
        self.extensions, self.max_size, self.latency = extensions, max_size, latency
        self.mails: deque[ReceivedMail] = deque(maxlen=10_000)
        self.contents: deque[bytes] = deque(maxlen=keep_last)
        self.connections = 0
        """How many were made so far."""
        self._writer = RecordWriter(record) if record else None
        self._keep, self._keep_last, self._received = keep, keep_last, 0
        self._rules = rules
        self._deferred: set[str] = set()
        self._sessions: set[Session] = set()
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """How many stand now."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(self), self.host, self.port, backlog=1_024)
        self.port = self._server.sockets[0].getsockname()[1]
        if self._keep:
            self._keep.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        if self._server:
            self._server.close()
        self.hang_up()
        if self._writer:
            self._writer.close()

    def hang_up(self) -> None:
        """Cut all connections, as a failing server does."""
        for session in tuple(self._sessions):
            session.transport.abort()

    def judge(self, recipient: str) -> Behaviour:
        """What happens to mail for `recipient` this time: `defer` defers only once."""
        behaviour = behaviour_for(recipient, self._rules)
        if behaviour is Behaviour.DEFER:
            if recipient in self._deferred:
                return Behaviour.ACCEPT
            self._deferred.add(recipient)
        return behaviour

    def receive(self, began: float, sender: str, recipient: str, content: bytes, *, answered: bool) -> int:
        """Record a mail, before it is answered, and return its number."""
        head = content[: content.find(b"\r\n\r\n") + 2]
        found = _MESSAGE_ID.search(head)
        mail = ReceivedMail(began, self.now(), found[1].decode("ascii", "replace") if found else "", sender,
                            recipient, len(content), answered)
        if self._writer:
            self._writer.write(mail)
        self.mails.append(mail)
        self.contents.append(content)
        self._received += 1
        if self._keep:
            self._store(self._keep, content)
        return self._received

    def _store(self, folder: Path, content: bytes) -> None:
        folder.joinpath(f"{self._received:08}.eml").write_bytes(content)
        folder.joinpath(f"{self._received - self._keep_last:08}.eml").unlink(missing_ok=True)

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def opened(self, session: Session) -> None:
        """Count a connection."""
        self.connections += 1
        self._sessions.add(session)

    def closed(self, session: Session) -> None:
        """Forget it."""
        self._sessions.discard(session)
