"""`python -m outreach_stream.inbox.light`: takes all mail, and notes of each only when it came and for whom.

For measurements: a sink must cost little beside what is measured. It judges nobody, looks into no message, and writes
its record a few times a second, not before each answer as the inbox does.
"""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

WRITE_EVERY = 0.05
"""Seconds for which a line of the record may be in memory only."""

_HELLO = b"250-inbox\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
_END, _DOT = b"\r\n.\r\n", b".\r\n"
_OK = b"250 2.0.0 Ok\r\n"


class Arrival(NamedTuple):
    """One mail for one recipient."""

    at: float
    """When its final dot came: seconds since the epoch."""
    recipient: str


class LightRecord:
    """Appends a line for each mail to `path`, each at most `WRITE_EVERY` seconds late."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lines: list[bytes] = []

    def note(self, recipient: bytes) -> None:
        """A mail for `recipient` came now."""
        if not self._lines:
            asyncio.get_running_loop().call_later(WRITE_EVERY, self.write)
        self._lines.append(b"%.6f %b\n" % (time.time(), recipient))

    def write(self) -> None:
        """Write what is in memory. Blocks for microseconds."""
        os.write(self._file, b"".join(self._lines))
        self._lines.clear()


def arrivals(path: Path, after: int = 0) -> Iterator[Arrival]:
    """What stands in the record behind so many bytes, as far as it is whole. Blocks."""
    with path.open("rb") as lines:
        lines.seek(after)
        for line in lines:
            if line.endswith(b"\n"):    # else it is just being written
                at, _, recipient = line.decode().rstrip("\n").partition(" ")
                yield Arrival(float(at), recipient)


class LightSession(asyncio.Protocol):
    """One connection: commands as they come, several at once when pipelined, and one write for all their answers.

    `latency`: seconds that each mail takes, after its final dot; what was sent behind it waits as well.
    """

    def __init__(self, record: LightRecord, latency: float = 0.0) -> None:
        self._record, self._latency = record, latency
        self._buffer, self._scanned = b"", 0
        self._recipient: bytes | None = None
        self._in_message = self._held = False
        self._replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 inbox ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Work through what is complete."""
        self._buffer = self._buffer + data if self._buffer else data
        self._work()

    def _work(self) -> None:
        while not self._held and (self._message() if self._in_message else self._command()):
            pass
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _message(self) -> bool:
        if self._buffer.startswith(_DOT):
            behind = len(_DOT)
        elif (end := self._buffer.find(_END, self._scanned)) >= 0:
            behind = end + len(_END)
        else:
            self._scanned = max(0, len(self._buffer) - len(_END))
            return False
        self._buffer = self._buffer[behind:]
        self._in_message, self._scanned = False, 0
        self._record.note(self._recipient or b"")
        self._recipient = None
        if self._latency:
            self._held = True
            asyncio.get_running_loop().call_later(self._latency, self._go_on)
        else:
            self._replies.append(_OK)
        return True

    def _go_on(self) -> None:
        self._held = False
        self._replies.append(_OK)
        self._work()

    def _command(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        self._replies.append(self._reply(line[:4].upper(), line))
        return True

    def _reply(self, verb: bytes, line: bytes) -> bytes:
        match verb:
            case b"RCPT":
                self._recipient = line[line.find(b"<") + 1: line.find(b">")]
            case b"DATA" if self._recipient is None:
                return b"503 5.5.1 no recipient\r\n"
            case b"DATA":
                self._in_message = True
                return b"354 end with a dot\r\n"
            case b"EHLO":
                return _HELLO
            case b"QUIT":
                self._transport.write(b"".join([*self._replies, b"221 2.0.0 Bye\r\n"]))
                self._transport.close()
                self._replies, self._held = [], True
                return b""
            case b"MAIL" | b"RSET":
                self._recipient = None
            case b"NOOP":
                pass
            case _:
                return b"500 5.5.2 not understood\r\n"
        return _OK


async def serve(port: int, path: Path, latency: float) -> None:
    """Receive on loopback until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    record = LightRecord(path)
    server = await loop.create_server(lambda: LightSession(record, latency), "127.0.0.1", port, backlog=1_024)
    await stop.wait()
    server.close()
    record.write()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m outreach_stream.inbox.light", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True, help="file that gets a line for each mail")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="MS", help="that a mail takes")
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.record, asked.latency_ms / 1_000))
