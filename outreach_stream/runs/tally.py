"""What is known of one chunk's recipients, and where in `send.result` it was learned."""

import struct

from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.runs.results import Result

_SPAN = struct.Struct("<qq")


class Tally:
    """The marks of one chunk, and the first and last offset of the results that set them.

    Noting is idempotent and commutative: results may come twice, in any order, and at several processes.
    """

    __slots__ = ("first", "last", "marks")

    def __init__(self) -> None:
        self.marks = Marks()
        self.first, self.last = -1, -1

    def note(self, result: Result) -> None:
        """Take a result into account."""
        self.marks.set(result.mark, result.index)
        if result.possible_duplicate:
            self.marks.set(Mark.DOUBTED, result.index)
        if not 0 <= self.first <= result.offset <= self.last:
            self._span(result.offset, result.offset)

    def merge(self, other: "Tally") -> None:
        """Take over what another copy knows."""
        self.marks.merge(other.marks)
        if other.first >= 0:
            self._span(other.first, other.last)

    def _span(self, first: int, last: int) -> None:
        self.first = first if self.first < 0 else min(self.first, first)
        self.last = max(self.last, last)

    def encode(self) -> bytes:
        """Marks, then the two offsets."""
        return self.marks.encode() + _SPAN.pack(self.first, self.last)

    @classmethod
    def decode(cls, data: bytes) -> "Tally":
        """The tally that `encode` wrote."""
        tally = cls()
        tally.marks = Marks.decode(data)
        tally.first, tally.last = _SPAN.unpack_from(data, Marks.encoded_size(data))
        return tally
