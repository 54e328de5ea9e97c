"""Writes the message of those who sent its parts: plainly, and fast enough to be measured against."""

import base64
from collections.abc import Iterable, Sequence
from email.header import Header
from email.utils import formataddr, formatdate
from typing import NamedTuple


class Part(NamedTuple):
    """A body, or a file."""

    media_type: str
    content: bytes
    name: str | None = None
    """None: it is a body."""
    content_id: str | None = None
    """Not None: it is shown where the HTML says so."""


def written(headers: Iterable[tuple[str, str]], bodies: Sequence[Part], files: Sequence[Part], now: float) -> bytes:
    """The MIME message. `now`, in seconds since the epoch, is its date if the headers have none."""
    told = list(headers)
    names = {name.lower() for name, _ in told}
    if "date" not in names:
        told.append(("Date", formatdate(now)))
    told.append(("MIME-Version", "1.0"))
    head = "".join(f"{name}: {_encoded(value)}\r\n" for name, value in told)
    content = _together("alternative", [_body(each) for each in bodies])
    return head.encode() + _together("mixed", [content, *map(_file, files)])


def mailbox(email: str, name: str | None) -> str:
    """As it stands in a header."""
    return formataddr((name, email)) if name else email


def _encoded(value: str) -> str:
    value = " ".join(value.splitlines())
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=76).encode(linesep="\r\n")


def _body(part: Part) -> bytes:
    head = f"Content-Type: {part.media_type}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return head.encode() + b"\r\n".join(part.content.splitlines())


def _file(part: Part) -> bytes:
    where = "attachment" if part.content_id is None else "inline"
    head = [f"Content-Type: {part.media_type}", f'Content-Disposition: {where}; filename="{_encoded(part.name or "")}"',
            "Content-Transfer-Encoding: base64", *([f"Content-ID: <{part.content_id}>"] if part.content_id else [])]
    lines = base64.encodebytes(part.content).replace(b"\n", b"\r\n")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + lines


def _together(kind: str, parts: Sequence[bytes]) -> bytes:
    if len(parts) == 1:
        return parts[0]
    # Longer than any line that base64 makes, and not to be met in what a person writes.
    boundary = f"--=_{kind}_{sum(map(len, parts)):x}_stand-in-of-a-provider-wrote-this-boundary-for-the-parts=_"
    mark = f"\r\n--{boundary}\r\n".encode()
    return (f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n'.encode()
            + b"".join(mark + part for part in parts) + f"\r\n--{boundary}--\r\n".encode())
