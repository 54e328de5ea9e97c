"""One bit per recipient of a chunk and mark: what is known of up to 1,024 recipients in a few hundred bytes.

Bits are only ever set, so that copies written by different processes, in any order and however often, merge by OR.
"""

from enum import IntEnum

from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.domain.states import SENDING_ENDS, RecipientStatus

_MAP_BYTES = CHUNK_SIZE // 8


class Mark(IntEnum):
    """What a bit says. The order is the wire format: append, never reorder."""

    SENT = 0
    IN_DOUBT = 1
    FAILED = 2
    EXPIRED = 3
    CANCELLED = 4
    SKIPPED = 5
    MOVED = 6
    """Handed on (to a later attempt, to another engine); not an end."""
    DOUBTED = 7
    """Maybe sent before an attempt; never cleared, it labels every later result. Not an end."""


STATUS_OF = {Mark[status.name]: status for status in (*SENDING_ENDS, RecipientStatus.SKIPPED)}
"""The ends, strongest first."""

MARK_OF: dict[str, Mark] = {status: mark for mark, status in STATUS_OF.items()}
"""The mark of an end, by the status or by its text in an event."""


class Marks:
    """The marks of one chunk. Mutable: set bits, merge copies, encode."""

    __slots__ = ("bits",)

    def __init__(self) -> None:
        self.bits = [0] * len(Mark)

    def set(self, mark: Mark, index: int) -> None:
        """Set one bit; setting it again changes nothing."""
        self.bits[mark] |= 1 << index

    def has(self, mark: Mark, index: int) -> bool:
        """Whether the bit is set."""
        return bool(self.bits[mark] >> index & 1)

    def untouched(self, index: int) -> bool:
        """Whether no bit of the recipient's is set."""
        together = 0
        for bits in self.bits:
            together |= bits
        return not together >> index & 1

    def end(self, index: int) -> RecipientStatus | None:
        """The recipient's end, the strongest where copies disagree; None: none yet."""
        bit = 1 << index
        for mark, status in STATUS_OF.items():
            if self.bits[mark] & bit:
                return status
        return None

    def merge(self, other: "Marks") -> None:
        """Take over what another copy knows."""
        self.bits = [mine | theirs for mine, theirs in zip(self.bits, other.bits, strict=True)]

    def ends(self) -> dict[RecipientStatus, int]:
        """The recipients by end, as bits, each under its strongest."""
        ends, ended = {}, 0
        for mark, status in STATUS_OF.items():
            bits = self.bits[mark]
            ends[status] = bits & ~ended
            ended |= bits
        return ends

    def counts(self) -> dict[RecipientStatus, int]:
        """Recipients by end, each counted once, under its strongest."""
        return {status: bits.bit_count() for status, bits in self.ends().items()}

    def possible_duplicates(self) -> int:
        """Of those sent, how many were in doubt before."""
        return (self.bits[Mark.SENT] & self.bits[Mark.DOUBTED]).bit_count()

    def encode(self) -> bytes:
        """A byte that says which maps follow, then those; most chunks need one or two of eight."""
        head, maps = 0, []
        for mark, bits in enumerate(self.bits):     # not the enumeration's members: those are slow, and this is often
            if bits:
                head |= 1 << mark
                maps.append(bits.to_bytes(_MAP_BYTES, "little"))
        return head.to_bytes(1) + b"".join(maps)

    @classmethod
    def decode(cls, data: bytes) -> "Marks":
        """The marks that `encode` wrote; what follows them is left alone."""
        marks, at, head = cls(), 1, data[0]
        for mark in range(len(marks.bits)):
            if head >> mark & 1:
                marks.bits[mark] = int.from_bytes(data[at:at + _MAP_BYTES], "little")
                at += _MAP_BYTES
        return marks

    @staticmethod
    def encoded_size(data: bytes) -> int:
        """How many bytes of `data` are marks."""
        return 1 + data[0].bit_count() * _MAP_BYTES
