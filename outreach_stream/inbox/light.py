"""`python -m outreach_stream.inbox.light`: takes all mail, and notes of each only when it came and for whom.

For measurements: a sink must cost little beside what is measured. It judges nobody, looks into no message, and writes
its record a few times a second, not before each answer as the inbox does.
"""

import argparse
import asyncio
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

WRITE_EVERY = 0.05
"""Seconds for which a line of the record may be in memory only."""

_HELLO = b"250-inbox\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
_END = b"\r\n.\r\n"
_OK, _GO = b"250 2.0.0 Ok\r\n", b"354 end with a dot\r\n"
_GROUP = re.compile(rb"MAIL[^\r\n]*\r\nRCPT[^<>\r\n]*<([^<>\r\n]*)>[^\r\n]*\r\nDATA\r\n")
"""What is said before nearly every message, in one packet, and so is understood in one step."""
_GROUP_TAKEN = _OK + _OK + _GO
_ROOM = 32_768
"""Bytes that one read takes: more than most mails have."""


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

    def note(self, recipient: bytes, at: float) -> None:
        """A mail for `recipient` came `at` (seconds since the epoch)."""
        if not self._lines:
            asyncio.get_running_loop().call_later(WRITE_EVERY, self.write)
        self._lines.append(b"%.6f %b\n" % (at, recipient))

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


class LightSession(asyncio.BufferedProtocol):
    """One connection: commands as they come, several at once when pipelined, and one write for all their answers.

    `latency`: seconds that each mail takes, after its final dot; what was sent behind it waits as well.

    It reads into room of its own: for each read asyncio would ask for a quarter of a megabyte, which costs as much as
    all the rest.
    """

    def __init__(self, record: LightRecord, latency: float = 0.0) -> None:
        self._record, self._latency = record, latency
        self._room = bytearray(_ROOM)
        self._free = memoryview(self._room)
        self._at = self._end = 0    # what is not worked through stands between them
        self._recipient: bytes | None = None
        self._in_message = self._held = False
        self._replies: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 inbox ESMTP\r\n")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go: behind what is left of those before."""
        if self._end == len(self._room):
            self._room = self._room + bytes(len(self._room))
            self._free = memoryview(self._room)
        return self._free[self._end:] if self._end else self._free

    def buffer_updated(self, nbytes: int) -> None:
        """Work through what is complete."""
        self._end += nbytes
        self._work()

    def _work(self) -> None:
        while not self._held and (self._message() if self._in_message else self._group() or self._command()):
            pass
        left = self._end - self._at
        if left and self._at:
            self._room[:left] = self._room[self._at: self._end]
        self._at, self._end = 0, left
        if self._replies:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _message(self) -> bool:
        """Find its end. It begins with the line end of DATA, so that a lone dot is an end as well."""
        end = self._room.find(_END, self._at, self._end)
        if end < 0:
            self._at = max(self._at, self._end - len(_END) + 1)     # nobody asks what is in it
            return False
        self._at = end + len(_END)
        self._in_message = False
        self._record.note(self._recipient or b"", time.time())
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

    def _group(self) -> bool:
        if found := _GROUP.match(self._room, self._at, self._end):
            self._recipient, self._in_message = found[1], True
            self._at = found.end() - len(b"\r\n")
            self._replies.append(_GROUP_TAKEN)
        return self._in_message

    def _command(self) -> bool:
        end = self._room.find(b"\r\n", self._at, self._end)
        if end < 0:
            return False
        line = bytes(self._room[self._at: end])
        self._at = end + len(b"\r\n")
        self._replies.append(self._reply(line[:4].upper(), line))
        if self._in_message:
            self._at = end
        return True

    def _reply(self, verb: bytes, line: bytes) -> bytes:
        match verb:
            case b"RCPT":
                self._recipient = line[line.find(b"<") + 1: line.find(b">")]
            case b"DATA" if self._recipient is None:
                return b"503 5.5.1 no recipient\r\n"
            case b"DATA":
                self._in_message = True
                return _GO
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
