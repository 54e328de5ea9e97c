"""The inbox itself: listens, judges recipients, keeps what it received; over SMTP, or as an HTTP provider would."""

import asyncio
import re
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from outreach_stream.inbox.limit import Limit
from outreach_stream.inbox.mailroom import Guest
from outreach_stream.inbox.modes import Mode, ModeFile
from outreach_stream.inbox.providers.provider import Provider
from outreach_stream.inbox.providers.session import HttpSession
from outreach_stream.inbox.record import ReceivedMail, RecordWriter
from outreach_stream.inbox.rules import ACCEPTED, CLOSING, PASSING, Behaviour, Fate, Rule, behaviour_for, grey_seconds
from outreach_stream.inbox.session import Session

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")

_FATES = {
    Mode.REFUSE_CONNECTIONS: Fate(Behaviour.DROP),
    Mode.SHUTDOWN: Fate(Behaviour.SHUTDOWN, CLOSING),
    Mode.BLOCK: Fate(Behaviour.BLOCK),
    Mode.LOGIN_REFUSED: Fate(Behaviour.STOP, "530 5.7.0 log in, please"),
}
"""What a mode does to all mails alike."""

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Inbox:
    """Listens while its context is entered: `async with Inbox() as inbox: ... inbox.port`.

    `record`: the file that gets a line for each mail. `keep`: a folder for the last `keep_last` messages,
    a file each. `latency`: seconds by which every reply is late. `pace`: seconds between the bytes of `trickle` and
    the pieces of `sip`. `credentials`: name and password without which no mail is taken. `limit`: the rate that it
    takes. `mode_file`: a file that names its `Mode`, which `mode` overrides. It also lists what it received in `mails`.
    `provider`: it is this HTTP provider's stand-in, and speaks no SMTP. `max_size`: bytes of the largest message, or
    of the largest request; None: 10 MB, or what the provider takes.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, record: Path | None = None,
                 keep: Path | None = None, keep_last: int = 100, rules: tuple[Rule, ...] = (),
                 latency: float = 0.0, pace: float = 1.0, extensions: tuple[str, ...] = EXTENSIONS,
                 max_size: int | None = None, credentials: tuple[str, str] | None = None,
                 limit: Limit | None = None, mode_file: Path | None = None, provider: Provider | None = None) -> None:
        self.host, self.port = host, port
        self.extensions, self.latency, self.pace, self.credentials = extensions, latency, pace, credentials
        self.max_size = max_size or (provider.max_size if provider else 10_000_000)
        self.mode: Mode | None = None
        """What a test in the same process wants; None: what the file says."""
        self.mails: deque[ReceivedMail] = deque(maxlen=10_000)
        self.contents: deque[bytes] = deque(maxlen=keep_last)
        self.connections = 0
        """How many were made so far."""
        self.attempts = 0
        """How often a mail was offered, whatever came of it."""
        self._writer = RecordWriter(record) if record else None
        self._keep, self._keep_last, self._received = keep, keep_last, 0
        self._rules = rules
        self._limit = limit
        self._mode_file = ModeFile(mode_file) if mode_file else None
        self._first_tries: dict[str, float] = {}
        self._turn = 0
        self._sessions: set[Guest] = set()
        self._provider = provider
        self._server: asyncio.Server | None = None

    @property
    def open_connections(self) -> int:
        """How many stand now."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port, backlog=1_024)
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

    def _session(self) -> Session | HttpSession:
        return HttpSession(self, self._provider) if self._provider else Session(self)

    def hang_up(self) -> None:
        """Cut all connections, as a failing server does."""
        for session in tuple(self._sessions):
            session.transport.abort()

    def current_mode(self) -> Mode:
        """How everybody is treated now."""
        return self.mode or (self._mode_file.read() if self._mode_file else Mode.NORMAL)

    def judge(self, recipient: str) -> Fate:
        """What happens to mail for `recipient` this time: the mode comes first, then the recipient, then the limit."""
        mode = self.current_mode()
        if mode is not Mode.NORMAL and mode in _FATES:
            return _FATES[mode]
        behaviour = behaviour_for(recipient, self._rules)
        fate = ACCEPTED if self._is_over(behaviour, recipient) else Fate.of(behaviour, recipient)
        if fate.reply is None and self._limit and (refusal := self._limit.over(self.now())):
            return Fate(Behaviour.THROTTLE, refusal.reply, refusal.wait)
        if mode is Mode.HALF and fate is ACCEPTED:
            self._turn += 1
            return fate if self._turn % 2 else Fate(Behaviour.REJECT)
        return fate

    def _is_over(self, behaviour: Behaviour, recipient: str) -> bool:
        """Whether what happens to a recipient once, or for some time, has happened."""
        if behaviour is Behaviour.ACCEPT or behaviour not in PASSING:
            return False
        if recipient not in self._first_tries:
            self._first_tries[recipient] = self.now()
            return False
        return behaviour is not Behaviour.GREY or self.now() - self._first_tries[recipient] >= grey_seconds(recipient)

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

    def opened(self, session: Guest) -> None:
        """Count a connection."""
        self.connections += 1
        self._sessions.add(session)

    def closed(self, session: Guest) -> None:
        """Forget it."""
        self._sessions.discard(session)
