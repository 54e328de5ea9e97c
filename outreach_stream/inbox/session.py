"""One SMTP session as the receiving side: RFC 5321 with PIPELINING, 8BITMIME, SMTPUTF8 and SIZE."""

import asyncio
import re
from typing import cast

from outreach_stream.inbox.login import granted
from outreach_stream.inbox.mailroom import Mailroom
from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.outlet import Outlet
from outreach_stream.inbox.rules import CLOSING, DOT_REPLIES, TOO_LARGE, Behaviour, Fate

_MAIL = re.compile(r"MAIL FROM:\s*<([^<>]*)>((?: \S+)*)", re.IGNORECASE)
_RCPT = re.compile(r"RCPT TO:\s*<([^<>\s]+)>(?: \S+)*", re.IGNORECASE)
_SIZE = re.compile(r" SIZE=(\d+)", re.IGNORECASE)
_LINE_LIMIT = 4_096
_CUT_OFF = frozenset({Behaviour.DOUBT, Behaviour.DOUBT_ONCE})
_UNANSWERED = _CUT_OFF | {Behaviour.SILENCE}
_SLOW = 0.5
"""Seconds that `slow` recipients let the sender wait."""


class Session(asyncio.Protocol):
    """Reads commands as they come, several at once when pipelined, and answers each batch with one write."""

    def __init__(self, room: Mailroom) -> None:
        self._room = room
        self._buffer = bytearray()
        self._scanned = 0
        self._replies: list[str] = []
        self._reading_message = False
        self._held = False
        self._logged_in = room.credentials is None
        self._forget()

    def _forget(self) -> None:
        self._sender: str | None = None
        self._began = 0.0
        self._recipients: list[str] = []
        self._asked: set[Behaviour] = set()  # what they ask for besides being accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self.transport = cast("asyncio.Transport", transport)
        self._out = Outlet(self.transport, self._room.latency)
        self._room.opened(self)
        match self._room.current_mode():
            case Mode.REFUSE_CONNECTIONS:
                self._out.reset()
            case Mode.HANG_UP:
                self._close("220 inbox ESMTP")
            case Mode.SHUTDOWN:
                self._close(CLOSING)
            case _:
                self._reply("220 inbox ESMTP")
                self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the reason
        """Forget what was not finished: without a final dot nothing was received."""
        self._room.closed(self)

    def data_received(self, data: bytes) -> None:
        """Work through what is complete."""
        self._buffer += data
        if self._asked and self._reading_message:
            if Behaviour.RESET in self._asked:
                self._out.reset()
            elif Behaviour.SIP in self._asked:
                self._pause()
        self._work()

    def _pause(self) -> None:
        """Read nothing for a while, so that the sender must wait with the rest."""
        self.transport.pause_reading()
        asyncio.get_running_loop().call_later(self._room.pace, self.transport.resume_reading)

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
                self._hello()
            case "AUTH":
                self._log_in(line)
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

    def _hello(self) -> None:
        self._forget()
        login = ("AUTH PLAIN",) if self._room.credentials else ()
        lines = ["inbox", f"SIZE {self._room.max_size}", *self._room.extensions, *login]
        self._reply("\r\n".join(f"250{' ' if item is lines[-1] else '-'}{item}" for item in lines))

    def _log_in(self, line: str) -> None:
        refused = self._room.current_mode() is Mode.LOGIN_REFUSED
        self._logged_in = not refused and granted(line, self._room.credentials)
        self._reply("235 2.7.0 welcome" if self._logged_in else "535 5.7.8 name or password is wrong")

    def _mail(self, line: str) -> str:
        found = _MAIL.fullmatch(line)
        if not self._logged_in:
            return "530 5.7.0 log in first"
        if self._sender is not None:
            return "503 5.5.1 nested MAIL"
        if not found:
            return "501 5.5.4 MAIL FROM:<address>"
        size = _SIZE.search(found[2])
        if size and int(size[1]) > self._room.max_size:
            return TOO_LARGE
        self._sender, self._began = found[1], self._room.now()
        return "250 2.1.0 Ok"

    def _rcpt(self, line: str) -> None:
        found = _RCPT.fullmatch(line)
        if self._sender is None:
            self._reply("503 5.5.1 MAIL first")
        elif not found:
            self._reply("501 5.1.3 RCPT TO:<address>")
        else:
            self._room.attempts += 1
            self._meet(found[1], self._room.judge(found[1]))

    def _meet(self, recipient: str, fate: Fate) -> None:
        if fate.behaviour is Behaviour.DROP:
            self.transport.abort()
        elif fate.behaviour is Behaviour.SHUTDOWN:
            self._close(CLOSING)
        elif fate.reply:
            self._reply(fate.reply)
        else:
            self._recipients.append(recipient)
            if fate.behaviour is not Behaviour.ACCEPT:
                self._asked.add(fate.behaviour)
            self._reply("250 2.1.5 Ok")

    def _data(self) -> None:
        if not self._recipients:
            self._reply("503 5.5.1 no valid recipients")
            return
        if Behaviour.SHUTDOWN_DATA in self._asked:
            self._close(CLOSING)
            return
        if Behaviour.SIP in self._asked:
            self._pause()
        self._reading_message, self._scanned = True, 0
        self._buffer[:0] = b"\r\n"
        self._reply("354 end with a dot")

    def _message(self, content: bytes) -> None:
        content = content.replace(b"\r\n..", b"\r\n.")
        reply = next((DOT_REPLIES[asked] for asked in self._asked if asked in DOT_REPLIES), None)
        if len(content) > self._room.max_size:
            self._reply(TOO_LARGE)
        elif reply == CLOSING:
            self._close(reply)
        elif reply:
            self._reply(reply)
        else:
            self._accept(content)
        self._flush()  # while it is known whether this recipient's replies come slowly
        self._forget()

    def _accept(self, content: bytes) -> None:
        answered = not self._asked or not self._asked & _UNANSWERED
        number = 0
        for recipient in self._recipients:
            number = self._room.receive(self._began, self._sender or "", recipient, content, answered=answered)
        if self._asked & _CUT_OFF:
            self.transport.abort()
        elif Behaviour.SILENCE in self._asked:
            self._held = True
        else:
            self._reply(f"250 2.0.0 Ok: queued as {number:08X}")
            if Behaviour.SLOW in self._asked:
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
        self._out.write(data, close=close, drip=self._room.pace if Behaviour.TRICKLE in self._asked else 0.0)
