"""Forms as browsers and APIs send them: `multipart/form-data` (RFC 7578) and `application/x-www-form-urlencoded`."""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))')
_NAME = re.compile(r';\s*name="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(r';\s*filename="([^"]*)"', re.IGNORECASE)
_TYPE = re.compile(r"^content-type:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)


class MalformedForm(ValueError):  # noqa: N818 - it says what the form is
    """It cannot be read."""


class Field(NamedTuple):
    """One field; a name may come several times."""

    name: str
    content: bytes
    filename: str | None = None
    """None: it is no file."""
    media_type: str | None = None

    @property
    def text(self) -> str:
        """Raises `MalformedForm` if it is no UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError:
            raise MalformedForm(f"{self.name} is not UTF-8") from None


def fields(content_type: str, body: bytes) -> list[Field]:
    """All fields, in their order; raises `MalformedForm`."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return list(_parts(content_type, body))
    if media_type == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body))
        except ValueError as error:
            raise MalformedForm(str(error)) from None
        return [Field(name, value.encode()) for name, value in pairs]
    raise MalformedForm(f"{media_type or 'nothing'} is no form")


def _parts(content_type: str, body: bytes) -> Iterator[Field]:
    told = _BOUNDARY.search(content_type)
    if not told:
        raise MalformedForm("no boundary")
    mark = b"\r\n--" + (told[1] or told[2]).encode()
    pieces = (b"\r\n" + body).split(mark)
    if len(pieces) < 2 or pieces[0] or pieces[-1] not in {b"--", b"--\r\n"}:  # noqa: PLR2004 - a mark at least
        raise MalformedForm("it does not begin and end with its boundary")
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        about = head.decode("utf-8", "replace")
        name, filename, media_type = _NAME.search(about), _FILENAME.search(about), _TYPE.search(about)
        if not blank or not head.startswith(b"\r\n") or not name:
            raise MalformedForm("a part without a name")
        yield Field(name[1], content, filename[1] if filename else None, media_type[1] if media_type else None)
