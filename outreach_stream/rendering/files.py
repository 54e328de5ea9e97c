"""Files around a body: `multipart/mixed` for what is attached, `multipart/related` for what the HTML shows.

They are the same in every mail of a workflow, so each is encoded once, and a mail only joins bytes.
"""

from collections.abc import Sequence
from email.message import MIMEPart
from email.policy import SMTP

from outreach_stream.domain.message import File
from outreach_stream.rendering.bodies import base64_lines


class Surroundings:
    """What stands around the body of each mail that carries `files`."""

    def __init__(self, files: Sequence[File], boundary: bytes) -> None:
        """`boundary`: occurs in no body; it is no beginning of those used here. Encodes, in milliseconds a megabyte."""
        self._mixed, self._related = b"m" + boundary, b"r" + boundary
        self._shown = _tail([file for file in files if file.content_id], self._related)
        self._attached = _tail([file for file in files if not file.content_id], self._mixed)

    def around(self, kind: bytes, body: bytes) -> bytes:
        """The whole content; `body` is an entity of the media type `kind`, ending in CRLF."""
        if self._shown:
            body = (b'Content-Type: multipart/related; boundary="%b";\r\n type="%b"\r\n\r\n--%b\r\n%b%b'
                    % (self._related, kind, self._related, body, self._shown))
        if self._attached:
            body = (b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n%b%b'
                    % (self._mixed, self._mixed, body, self._attached))
        return body


def _tail(files: Sequence[File], boundary: bytes) -> bytes:
    """What follows the body: each file after a boundary, and the last boundary; nothing if there are no files."""
    if not files:
        return b""
    return b"".join([b"\r\n--%b\r\n%b" % (boundary, _entity(file)) for file in files]) + b"\r\n--%b--\r\n" % boundary


def _entity(file: File) -> bytes:
    """The file as a MIME entity, its name by RFC 2231."""
    part = MIMEPart(SMTP)
    main, _, sub = file.media_type.partition("/")
    part.set_content(
        b"", main, sub, cte="base64", filename=file.name,
        disposition="inline" if file.content_id else "attachment",
        cid=f"<{file.content_id}>" if file.content_id else None,
        params={"charset": "utf-8"} if main == "text" and _is_utf8(file.content) else None,
    )
    # The library writes the headers; of a megabyte it would make base64 in Python, line by line.
    return part.as_bytes().rstrip(b"\r\n") + b"\r\n\r\n" + base64_lines(file.content)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
