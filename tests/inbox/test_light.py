"""The light sink: its answers and its record are the same however its bytes come."""

import asyncio
import time

import pytest

from outreach_stream.inbox import light
from outreach_stream.inbox.light import LightRecord, LightSession, arrivals
from tests.reads import receive

ROOM = 64
"""Bytes of a read, so that little is much."""
GROUP = b"MAIL FROM:<n@s.example> BODY=8BITMIME\r\nRCPT TO:<%b@r.example>\r\nDATA\r\n"
SAID = b"".join((
    b"EHLO x\r\n", b"DATA\r\n", b"what?\r\n", b"RCPT TO:<nobody@r.example>\r\n", b"RSET\r\n", b"DATA\r\n", b"noop\r\n",
    GROUP % b"ada", b"Subject: x\r\n\r\n..\r\nMAIL FROM:<>\r\nRCPT TO:<no@body.example>\r\nDATA\r\n.x\r\n\r\n.\r\n",
    GROUP % b"alone", b".\r\n",
    (GROUP % b"low").lower(), b"\r\n.\r\n", GROUP % b"", b"x" * 3 * ROOM, b"\r\n.\r\n",
    GROUP.replace(b"RCPT", b"RCPT " + b"x" * 2 * ROOM) % b"long", b"Hello\n.\n\r\n.\r\n",
    GROUP % b"last", b"Hello\r\n.\r\nQUIT\r\nNOOP\r\n"))
OK, GO = "250 2.0.0 Ok", "354 end with a dot"
MAIL = [OK, OK, GO, OK]
ANSWERS = ["220 inbox ESMTP", "250-inbox", "250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES",
           "503 5.5.1 no recipient", "500 5.5.2 not understood", OK, OK, "503 5.5.1 no recipient", OK,
           *MAIL * 6, "221 2.0.0 Bye", ""]
RECIPIENTS = ["ada@r.example", "alone@r.example", "low@r.example", "@r.example", "long@r.example", "last@r.example"]


class Transport:
    """Keeps what was written."""

    def __init__(self) -> None:
        self.written, self.writes, self.closed = b"", 0, False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written, self.writes = self.written + data, self.writes + 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def little_room(monkeypatch):
    monkeypatch.setattr(light, "_ROOM", ROOM)


def session(record: LightRecord, latency: float = 0.0) -> tuple[LightSession, Transport]:
    made, transport = LightSession(record, latency), Transport()
    made.connection_made(transport)
    return made, transport


@pytest.mark.parametrize("packet", [1, 2, 3, 4, 5, 7, 100, 10_000, len(SAID)])
async def test_answers_do_not_depend_on_packets(tmp_path, packet):
    """Commands and dots may be cut anywhere, or come all at once; a line or a message may be longer than the room."""
    record = LightRecord(tmp_path / "record")
    made, transport = session(record)
    for start in range(0, SAID.index(b"QUIT"), packet):
        receive(made, SAID[start: min(start + packet, SAID.index(b"QUIT"))])
    receive(made, SAID[SAID.index(b"QUIT"):])
    assert transport.written.decode().split("\r\n") == ANSWERS
    assert transport.closed
    record.write()
    assert [each.recipient for each in arrivals(tmp_path / "record")] == RECIPIENTS


async def test_one_write_answers_a_packet_and_the_record_tells_when(tmp_path, monkeypatch):
    """A body with the next message's commands behind it is answered at once, in one write."""
    monkeypatch.setattr(light, "_ROOM", 1_024)
    record = LightRecord(tmp_path / "record")
    made, transport = session(record)
    receive(made, b"EHLO x\r\n" + GROUP % b"ada")
    before, began = transport.writes, time.time()
    receive(made, b"Hello\r\n.\r\n" + GROUP % b"bob")
    assert transport.writes == before + 1
    assert transport.written.endswith(f"{GO}\r\n{OK}\r\n{OK}\r\n{OK}\r\n{GO}\r\n".encode())
    record.write()
    (arrival,) = arrivals(tmp_path / "record")
    assert began - 0.001 <= arrival.at <= time.time() + 0.001


async def test_a_mail_takes_its_time_and_what_is_behind_it_waits(tmp_path):
    """With a latency nothing is answered before it is over, however much comes meanwhile."""
    made, transport = session(LightRecord(tmp_path / "record"), latency=0.03)
    receive(made, GROUP % b"ada" + b"Hello\r\n.\r\n" + GROUP % b"bob")
    first = transport.written
    assert first.endswith(f"{OK}\r\n{OK}\r\n{GO}\r\n".encode())
    receive(made, b"x" * ROOM + b"\r\n.\r\n")
    assert transport.written == first
    async with asyncio.timeout(5):
        while transport.written.count(b"Ok") < 6:
            await asyncio.sleep(0.001)
    assert transport.written[len(first):].decode().split("\r\n") == [OK, OK, OK, GO, OK, ""]
