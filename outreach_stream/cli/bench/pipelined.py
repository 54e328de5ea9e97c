"""The least that a client can do over SMTP: no pool, no errors, no record; what is left is the protocol."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple, cast


class Prepared(NamedTuple):
    """A mail as it goes over the wire."""

    sender: str
    recipient: str
    content: bytes
    """The message, its dots not stuffed."""
    envelope: bytes
    """MAIL, RCPT and DATA."""
    body: bytes
    """The message with its dots stuffed, and the final dot."""


def prepared(sender: str, recipient: str, content: bytes) -> Prepared:
    """All that can be made beforehand."""
    envelope = f"MAIL FROM:<{sender}> BODY=8BITMIME\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    return Prepared(sender, recipient, content, envelope, content.replace(b"\r\n.", b"\r\n..") + b".\r\n")


class Pipelined(asyncio.Protocol):
    """Sends mails over one connection: MAIL, RCPT and DATA in one write, then the body (RFC 2920).

    `coupled`: the body goes in one write with MAIL, RCPT and DATA of the next mail, which RFC 2920 section 3.1 allows.
    """

    def __init__(self, mails: Iterator[Prepared], *, coupled: bool) -> None:
        loop = asyncio.get_running_loop()
        self.ready, self.done = loop.create_future(), loop.create_future()
        self._mails, self._coupled = mails, coupled
        self._mail: Prepared | None = None
        self._lines, self._expected = b"", 0
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves; the greeting comes meanwhile."""
        self._transport = cast("asyncio.Transport", transport)

    def start(self) -> None:
        """Send the first mail; all others follow, until there are none and `done` is."""
        self._next()

    def _next(self) -> None:
        self._mail = next(self._mails, None)
        if self._mail is None:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
            self.done.set_result(None)
            return
        self._expected = 3
        self._transport.write(self._mail.envelope)

    def _hand_over(self, mail: Prepared) -> None:
        follower = next(self._mails, None) if self._coupled else None
        self._transport.write(mail.body + follower.envelope if follower else mail.body)
        self._expected = 4 if follower else 1
        self._mail = follower

    def data_received(self, data: bytes) -> None:
        """Count the replies; all of them must be good."""
        *lines, self._lines = (self._lines + data).split(b"\r\n")
        if not self.ready.done():
            self._introduced(lines)
            return
        if any(line[:1] not in b"23" for line in lines):
            self.done.set_exception(ConnectionError(f"the sink answered {lines}"))
            self._transport.abort()
            return
        self._expected -= len(lines)
        if not self._expected:
            if self._mail:
                self._hand_over(self._mail)
            else:
                self._next()

    def _introduced(self, lines: list[bytes]) -> None:
        if not self._greeted:
            self._greeted = True
            self._transport.write(b"EHLO bench.example.com\r\n")
        elif any(line.startswith(b"250 ") for line in lines):
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told."""
        for each in (self.ready, self.done):
            if not each.done():
                each.set_exception(exc or ConnectionError("the sink hung up"))
