"""AUTH PLAIN (RFC 4616) with the answer in the same line, which is how clients send it."""

import base64
import binascii


def granted(line: str, credentials: tuple[str, str] | None) -> bool:
    """Whether the command `line` carries the right name and password."""
    words = line.split()
    if credentials is None or len(words) != 3 or words[1].upper() != "PLAIN":  # noqa: PLR2004 - AUTH PLAIN answer
        return False
    try:
        told = base64.b64decode(words[2], validate=True).split(b"\0")
    except binascii.Error:
        return False
    return told[1:] == [word.encode() for word in credentials]
