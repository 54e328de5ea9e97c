"""E-mail addresses: which are valid, when two are the same, and a set that holds a million of them in little memory."""

import re
from array import array
from collections.abc import Iterable

from email_validator import EmailNotValidError, validate_email

_LONGEST_LOCAL, _LONGEST_ADDRESS = 64, 254  # RFC 5321 section 4.5.3.1, RFC 3696 erratum 1690

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}+(?<!-)"
_PLAIN = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}")
"""Addresses that are certainly valid. Everything else is left to email-validator, a hundred times slower."""


def canonical_address(text: str) -> str | None:
    """The address as it goes on the wire, with an ASCII domain; None when it is not valid. DNS is not asked.

    A domain needs a dot and a top level of letters, so that `bob@example` and `bob@10.0.0.1` are mistakes.
    """
    text = text.strip()
    # A label with hyphens in its third and fourth place is IDNA's business.
    if (_PLAIN.fullmatch(text) and "--" not in text and len(text) <= _LONGEST_ADDRESS
            and text.index("@") <= _LONGEST_LOCAL):
        return text
    return _checked(text)


def same_mailbox(address: str) -> str:
    """What two addresses of one mailbox have in common: the address without regard to case.

    RFC 5321 (section 2.4) lets the part before the @ differ by case; no provider makes use of it, and to mail
    a person twice, or one who had unsubscribed in capitals, is the worse mistake.
    """
    return address.lower()


_FEW = 32_768


class AddressSet:
    """A set of mailboxes at about 25 bytes each in a million: it keeps 64-bit hashes, in buckets of a few.

    As long as they are few, in a plain set: three times the bytes, a third of the time.
    Two different addresses are taken for one with odds of n²/2⁶⁵: 3 in 100 million for a run of a million.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._few: set[int] = set()
        self._buckets: dict[int, array[int]] = {}
        for address in addresses:
            self.add(address)

    def add(self, address: str) -> bool:
        """Whether the address is new here; from now on it is in."""
        key = hash(same_mailbox(address))
        if self._buckets:
            return self._put(key)
        if key in self._few:
            return False
        self._few.add(key)
        if len(self._few) == _FEW:
            for each in self._few:
                self._put(each)
            self._few.clear()
        return True

    def _put(self, key: int) -> bool:
        place = key & 0xFFFF
        bucket = self._buckets.get(place)
        if bucket is None:
            self._buckets[place] = array("q", (key,))
            return True
        if key in bucket:
            return False
        bucket.append(key)
        return True

    def __contains__(self, address: object) -> bool:
        if not self._few and not self._buckets:
            return False
        key = hash(same_mailbox(str(address)))
        return key in self._few or key in self._buckets.get(key & 0xFFFF, ())

    def __len__(self) -> int:
        return len(self._few) + sum(map(len, self._buckets.values()))


def _checked(text: str) -> str | None:
    """The slow road, for addresses beyond ASCII and for those that are wrong."""
    try:
        # Special names (.local, .test) are fine within a company, hence not globally_deliverable.
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        return None
    domain = found.ascii_domain
    if "." not in domain or not domain[-1].isalpha():
        return None
    return f"{found.local_part}@{domain}"
