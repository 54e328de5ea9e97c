"""One SMTP session as the receiving side: RFC 5321 with PIPELINING, 8BITMIME, SMTPUTF8 and SIZE."""

import asyncio
import re
from typing import Protocol, cast

from outreach_stream.inbox.rules import REPLIES, Behaviour

_MAIL = re.compile(r"MAIL FROM:\s*<([^<>]*)>((?: \S+)*)", re.IGNORECASE)
_RCPT = re.compile(r"RCPT TO:\s*<([^<>\s]+)>(?: \S+)*", re.IGNORECASE)
_SIZE = re.compile(r" SIZE=(\d+)", re.IGNORECASE)
_LINE_LIMIT = 4_096
_SLOW = 0.5
"""Seconds that `slow` recipients let the sender wait."""


class Mailroom(Protocol):
    """What a session asks of the inbox it belongs to."""

    extensions: tuple[str, ...]
    max_size: int
    latency: float

    def judge(self, recipient: str) -> Behaviour:
        """What happens to mail for `recipient`, this time."""

    def receive(self, began: float, sender: str, recipient: str, content: bytes, *, answered: bool) -> int:
        """Record a mail, and return its number."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def opened(self, session: "Session") -> None:
        """A connection was made."""

    def closed(self, session: "Session") -> None:
        """It is gone."""


class Session(asyncio.Protocol):
    """Reads commands as they come, several at once when pipelined, and answers each batch with one write."""

    def __init__(self, room: Mailroom) -> None:
        self._room = room
        self._buffer = bytearray()
        self._scanned = 0
        self._replies: list[str] = []
        self._reading_message = False
        self._held = False
        self._forget()

    def _forget(self) -> None:
        self._sender: str | None = None
        self._began = 0.0
        self._recipients: list[tuple[str, Behaviour]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("asyncio.Transport", transport)
        self._room.opened(self)
        self._reply("220 inbox ESMTP")
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the reason
        """Forget what was not finished: without a final dot nothing was received."""
        self._room.closed(self)

    def data_received(self, data: bytes) -> None:
        """Work through what is complete."""
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while not self._held and not self.transport.is_closing() and self._step():
            pass
        self._flush()

    def _step(self) -> bool:
        """Take one command or one message from the buffer; False when none is complete."""
        if self._reading_message:
            # The buffer begins with the CRLF before the message, so that a lone dot is found like any other.
            end = self._buffer.find(b"\r\n.\r\n", self._scanned)
            if end < 0:
                self._scanned = max(0, len(self._buffer) - 4)
                return False
            content = bytes(self._buffer[2: end + 2])
            del self._buffer[: end + 5]
            self._reading_message = False
            self._message(content.removeprefix(b".") if content.startswith(b"..") else content)
            return True
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT:
                self._close("500 5.5.2 line too long")
            return False
        line = self._buffer[:end].decode("utf-8", "surrogateescape")
        del self._buffer[: end + 2]
        self._command(line)
        return True

    def _command(self, line: str) -> None:
        match line[:4].upper():
            case "EHLO":
                self._forget()
                lines = ["inbox", f"SIZE {self._room.max_size}", *self._room.extensions]
                self._reply("\r\n".join(f"250{' ' if item is lines[-1] else '-'}{item}" for item in lines))
            case "HELO" | "RSET":
                self._forget()
                self._reply("250 2.0.0 Ok")
            case "MAIL":
                self._reply(self._mail(line))
            case "RCPT":
                self._rcpt(line)
            case "DATA":
                self._data()
            case "NOOP":
                self._reply("250 2.0.0 Ok")
            case "QUIT":
                self._close("221 2.0.0 Bye")
            case _:
                self._reply("500 5.5.2 not understood")

    def _mail(self, line: str) -> str:
        found = _MAIL.fullmatch(line)
        if self._sender is not None:
            return "503 5.5.1 nested MAIL"
        if not found:
            return "501 5.5.4 MAIL FROM:<address>"
        size = _SIZE.search(found[2])
        if size and int(size[1]) > self._room.max_size:
            return "552 5.3.4 message too large"
        self._sender, self._began = found[1], self._room.now()
        return "250 2.1.0 Ok"

    def _rcpt(self, line: str) -> None:
        found = _RCPT.fullmatch(line)
        if self._sender is None:
            self._reply("503 5.5.1 MAIL first")
        elif not found:
            self._reply("501 5.1.3 RCPT TO:<address>")
        else:
            behaviour = self._room.judge(found[1])
            if behaviour is Behaviour.DROP:
                self.transport.abort()
            elif behaviour is Behaviour.SHUTDOWN:
                self._close(REPLIES[behaviour])
            elif behaviour in REPLIES:
                self._reply(REPLIES[behaviour].format(recipient=found[1]))
            else:
                self._recipients.append((found[1], behaviour))
                self._reply("250 2.1.5 Ok")

    def _data(self) -> None:
        if not self._recipients:
            self._reply("503 5.5.1 no valid recipients")
            return
        self._reading_message, self._scanned = True, 0
        self._buffer[:0] = b"\r\n"
        self._reply("354 end with a dot")

    def _message(self, content: bytes) -> None:
        content = content.replace(b"\r\n..", b"\r\n.")
        behaviours = {behaviour for _, behaviour in self._recipients}
        if len(content) > self._room.max_size:
            self._reply("552 5.3.4 message too large")
        elif Behaviour.BLOCK in behaviours:
            self._reply("554 5.7.1 refused by policy")
        else:
            self._accept(content, behaviours)
        self._forget()

    def _accept(self, content: bytes, behaviours: set[Behaviour]) -> None:
        answered = not behaviours & {Behaviour.DOUBT, Behaviour.SILENCE}
        number = 0
        for recipient, _ in self._recipients:
            number = self._room.receive(self._began, self._sender or "", recipient, content, answered=answered)
        if Behaviour.DOUBT in behaviours:
            self.transport.abort()
        elif Behaviour.SILENCE in behaviours:
            self._held = True
        else:
            self._reply(f"250 2.0.0 Ok: queued as {number:08X}")
            if Behaviour.SLOW in behaviours:
                self._held = True
                asyncio.get_running_loop().call_later(_SLOW, self._go_on)

    def _go_on(self) -> None:
        self._held = False
        self._work()

    def _reply(self, line: str) -> None:
        self._replies.append(line)

    def _close(self, line: str) -> None:
        self._reply(line)
        self._held = False
        self._flush(close=True)
        self._held = True  # whatever else it sends is not read

    def _flush(self, *, close: bool = False) -> None:
        if self._held or not self._replies:
            return
        data = ("\r\n".join(self._replies) + "\r\n").encode("utf-8", "surrogateescape")
        self._replies.clear()
        if self._room.latency:
            asyncio.get_running_loop().call_later(self._room.latency, self._write, data, close)
        else:
            self._write(data, close)

    def _write(self, data: bytes, close: bool) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
            if close:
                self.transport.close()
