"""Addresses as providers take them: a name and an address, or the address alone (RFC 5322 section 3.4)."""

import re
from collections.abc import Iterable
from email.utils import getaddresses
from functools import lru_cache

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def valid(address: str) -> bool:
    """Whether a provider would take this bare address: a plain local part, and a domain in ASCII."""
    return _ADDRESS.fullmatch(address) is not None


def mailboxes(lists: Iterable[str]) -> list[tuple[str, str]]:
    """Names and bare addresses of several lists, in their order; what cannot be read has an empty address."""
    return [mailbox for text in lists for mailbox in ([("", text)] if valid(text) else _parsed(text))]


def bare(lists: Iterable[str]) -> list[str]:
    """The same without names."""
    return [address for _, address in mailboxes(lists)]


@lru_cache(maxsize=64)
def _parsed(text: str) -> list[tuple[str, str]]:
    """The standard library is slow, and most senders are always the same."""
    return getaddresses([text])
