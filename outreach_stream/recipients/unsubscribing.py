"""The links by which recipients unsubscribe: made for each mail, and read when somebody follows one."""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from outreach_stream.settings import Settings
from outreach_stream.values import UnresolvedReference

PATH = "u"
"""Where links lead to, below the public address."""
SHORTEST_KEY = 32
"""Bytes of a key: as many as its cipher has."""
LONGEST_TOKEN = 600
"""Characters: a list's name of 100, an address of 254 and a run's id are 574."""
NOT_SET_UP = ("unsubscribe needs the address of the gateway and a key: set OUTREACH_PUBLIC_URL and "
              "OUTREACH_UNSUBSCRIBE_KEY, the same for all workers and the gateway")

_VERSION = b"\x01"
_PURPOSE = b"outreach-stream unsubscribe 1"
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = 3


class Subscription(NamedTuple):
    """What a link is about."""

    list: str
    email: str
    """As it was mailed."""
    run_id: str
    """The run whose mail has the link."""


class Links:
    """Makes links and reads them. Both are pure; what was made under any of the keys is read.

    A token is a version byte and the list, address and run in AES-SIV (RFC 5297), in base64url: nobody without the key
    reads an address in it, makes one or changes one, and the same mail has the same link on every attempt.
    """

    def __init__(self, public_url: str, keys: Sequence[str]) -> None:
        """The first of the `keys` signs; raises ValueError for one that is too short, without repeating it."""
        if any(len(key.encode()) < SHORTEST_KEY for key in keys):
            raise ValueError(f"has fewer than {SHORTEST_KEY} bytes: make one by `openssl rand -base64 32`")
        self._base = f"{public_url.rstrip('/')}/{PATH}/"
        self._ciphers = [AESSIV(HKDF(SHA512(), 64, None, _PURPOSE).derive(key.encode())) for key in keys]

    def url(self, name: str, email: str, run_id: str) -> str:
        """The link by which the address leaves the list of this name."""
        sealed = self._ciphers[0].encrypt(f"{name}\0{email}\0{run_id}".encode(), [_VERSION])
        return self._base + urlsafe_b64encode(_VERSION + sealed).rstrip(b"=").decode()

    def read(self, token: str) -> Subscription | None:
        """What the last part of a link says; None: we did not make it, whatever is wrong with it."""
        data = _decoded(token)
        if data is None or data[:1] != _VERSION:
            return None
        for cipher in self._ciphers:
            try:
                parts = cipher.decrypt(data[1:], [_VERSION]).decode().split("\0")
            except (InvalidTag, ValueError):
                continue
            return Subscription(*parts) if len(parts) == _PARTS else None
        return None


def links_of(settings: Settings) -> Links | None:
    """The links of this process; None: they are not set up. Raises `UnresolvedReference`. Blocks on a key's file."""
    if settings.public_url is None or not settings.unsubscribe_key:
        return None
    try:
        return Links(settings.public_url, [reference.resolve() for reference in settings.unsubscribe_key])
    except ValueError as error:
        raise UnresolvedReference(f"OUTREACH_UNSUBSCRIBE_KEY {error}") from error


def _decoded(token: str) -> bytes | None:
    """The bytes of a token in its one spelling: another one of the same bytes is none of ours."""
    if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        return None
    try:
        data = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return data if urlsafe_b64encode(data).rstrip(b"=").decode() == token else None
