"""Who has left which list, as the topic `suppression` tells: a digest of each in memory, kept up to date by a view."""

import re
from collections.abc import Container
from hashlib import sha256

import structlog

from outreach_stream.recipients.addresses import same_mailbox

log = structlog.get_logger()

DIGEST = 16
"""Bytes: two of a million addresses have the same one with odds of 1 in 10²⁶."""

_BUCKET = 2
_REST = DIGEST - _BUCKET
_KEY = re.compile(rb"[0-9a-fA-F]{32}")
"""We write small letters; some languages write digests in capitals, and whoever wants no mail is not to get any."""


def suppression_key(name: str, email: str) -> bytes:
    """The key of an address and a list in `suppression`: 32 hexadecimal digits, which other services can compute.

    It needs no secret, and so outlives each: the record beside it names the address anyway.
    """
    return _digest(name, email).hex().encode()


def _digest(name: str, email: str) -> bytes:
    return sha256(f"{name}\0{same_mailbox(email)}".encode(errors="replace")).digest()[:DIGEST]


class Digests:
    """A set of digests at about 30 bytes each in a million: in buckets by their first bytes, the rest end to end."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytes] = {}
        self._size = 0

    def add(self, digest: bytes) -> None:
        """Have it in the set."""
        if digest not in self:
            head = digest[:_BUCKET]
            self._buckets[head] = self._buckets.get(head, b"") + digest[_BUCKET:]
            self._size += 1

    def discard(self, digest: bytes) -> None:
        """Have it out of the set."""
        at = self._place(digest)
        if at >= 0:
            bucket = self._buckets[digest[:_BUCKET]]
            self._buckets[digest[:_BUCKET]] = bucket[:at] + bucket[at + _REST:]
            self._size -= 1

    def __contains__(self, digest: bytes) -> bool:
        return self._place(digest) >= 0

    def __len__(self) -> int:
        return self._size

    def _place(self, digest: bytes) -> int:
        """Where the digest's rest begins in its bucket; -1: nowhere."""
        bucket, rest = self._buckets.get(digest[:_BUCKET], b""), digest[_BUCKET:]
        at = bucket.find(rest)
        while at > 0 and at % _REST:  # the end of one and the beginning of another
            at = bucket.find(rest, at + 1)
        return at


class Unsubscribed:
    """All lists, as far as they are known here: feed it the topic's records by `note`, in order."""

    def __init__(self) -> None:
        self._digests = Digests()

    def note(self, key: bytes, value: object) -> None:
        """Take in one record; without a value it takes an earlier one back.

        A value is not looked at: where it cannot be read, to mail nobody is the smaller mistake.
        """
        if not _KEY.fullmatch(key):
            log.warning("suppression_unreadable", reason="its key is no digest")
        elif value is None:
            self._digests.discard(bytes.fromhex(key.decode()))
        else:
            self._digests.add(bytes.fromhex(key.decode()))

    def has(self, name: str, email: str) -> bool:
        """Whether the address has left the list of this name. Costs a microsecond or two."""
        return _digest(name, email) in self._digests

    def of(self, name: str | None) -> Container[str]:
        """The addresses that have left a list; None: nobody has."""
        return () if name is None else _List(self, name)

    def __len__(self) -> int:
        return len(self._digests)


class _List:
    """One list."""

    def __init__(self, lists: Unsubscribed, name: str) -> None:
        self._lists, self._name = lists, name

    def __contains__(self, email: object) -> bool:
        return self._lists.has(self._name, str(email))
