"""Cutting a stream of recipients into chunks: the frozen snapshot of who gets the mail."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import orjson

from outreach_stream.domain.identity import CHUNK_SIZE

CHUNK_BYTES = 256 * 1024
"""The largest chunk: well below what a broker takes, and quick to read for a slice of it."""

_LONGEST_SKIPPED = 320
"""Characters kept of an address that is left out (RFC 3696: 64 + @ + 255); what is longer was never an address."""

_PLACE = len(b"1023,")
"""Bytes for a recipient's place among the doubted."""


class Chunker:
    """Encodes recipients as they come and hands out a chunk when it is full; holds one chunk at a time.

    `add` and `skip` return the chunk that had to be closed first, if one had to; `close` returns the rest.
    """

    def __init__(self, run_id: str, plan_id: str, columns: Sequence[str], numbers: Iterator[int] | None = None) -> None:
        """`numbers`: of the chunks, in the order in which they are closed; shared by all chunkers of a plan."""
        self.total = 0
        self.skipped = 0
        self.closed: list[int] = []
        """Numbers of the chunks that were handed out."""
        ids = orjson.dumps({"schema_version": 1, "run_id": run_id, "plan_id": plan_id, "columns": list(columns)})
        self._head = ids[:-1]
        around = b',"chunk":,"rows":[],"skipped":[],"doubted":[]}'
        self._capacity = CHUNK_BYTES - len(self._head) - len(around) - len(str(2**63))
        self._numbers = numbers if numbers is not None else count()
        self._begin()

    def _begin(self) -> None:
        # Written on, not listed: `orjson.dumps` returns bytes that keep 4 KiB, however few they are.
        self._rows = bytearray()
        self._count = 0
        self._left_out = bytearray()
        self._doubted: list[int] = []
        self._room = self._capacity

    def add(self, email: str, name: str | None, values: Iterable[Any], *, doubted: bool = False) -> bytes | None:
        """Take a recipient; one whose row is no JSON or larger than a chunk is skipped.

        `doubted`: may have been mailed already, by the run that this one replays.
        """
        try:
            row = orjson.dumps([email, name, *values])
        except TypeError as error:
            return self.skip(email, f"a value cannot be written as JSON: {error}")
        if len(row) + _PLACE >= self._capacity:
            return self.skip(email, f"its row has {len(row):,} bytes, more than fit into a chunk")
        full = self._close_unless_fits(row)
        if doubted:
            self._doubted.append(self._count)
            self._room -= _PLACE
        self._rows += row
        self._rows += b","
        self._count += 1
        self.total += 1
        return full

    def skip(self, email: str, reason: str) -> bytes | None:
        """Note somebody who gets no mail."""
        address = email[:_LONGEST_SKIPPED].encode(errors="replace").decode()
        pair = orjson.dumps([address, reason[:_LONGEST_SKIPPED].encode(errors="replace").decode()])
        full = self._close_unless_fits(pair)
        self._left_out += pair
        self._left_out += b","
        self.skipped += 1
        return full

    def _close_unless_fits(self, item: bytes) -> bytes | None:
        full = None
        if self._count == CHUNK_SIZE or len(item) + 1 + _PLACE > self._room:
            full = self.close()
        self._room -= len(item) + 1
        return full

    def close(self) -> bytes | None:
        """The chunk begun; None if nothing is in it."""
        if not self._rows and not self._left_out:
            return None
        self.closed.append(next(self._numbers))
        doubted = b',"doubted":%b' % orjson.dumps(self._doubted) if self._doubted else b""
        chunk = b'%b,"chunk":%d,"rows":[%b],"skipped":[%b]%b}' % (
            self._head, self.closed[-1], bytes(self._rows[:-1]), bytes(self._left_out[:-1]), doubted)
        self._begin()
        return chunk
