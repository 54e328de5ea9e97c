"""Marked secrets of every kind, and how to find them in whatever comes out, however it is written."""

import base64
import re
from urllib.parse import quote, unquote_plus

MARK = "Zq7marked"
"""In all of them, so that a part of one is found, too."""

PLANTED = {
    "SMTP_PASSWORD": f'{MARK}smtp p@ss/w+rd="ö%&',
    "SENDGRID_KEY": f"SG.{MARK}sendgridsendgrid.0123456789abcdefghij-_XYZ",
    "MAILGUN_KEY": f"key-{MARK}mailgun0123456789abcdef",
    "SES_SECRET": f"{MARK}ses/secret+0123456789/ABCDEFGHIJKLMNOP",
    "SES_TOKEN": f"{MARK}sestoken//////////0123456789+abcdefghij==",
    "DATABASE_PASSWORD": f"{MARK}database:p@ss/word",
    "WRONG_PLACE": f"{MARK}pasted-where-it-does-not-belong",
}
"""By the name of the environment variable that holds it."""


def forms(secret: str) -> set[str]:
    """How a secret may be written: plainly, percent-encoded, in hexadecimal, escaped, in base64 at any place."""
    raw = secret.encode()
    # Without its ends, which depend on what stands beside it.
    inside = {base64.b64encode(b"x" * shift + raw).decode().rstrip("=")[start:-1]
              for shift, start in enumerate((0, 2, 3))}
    return {secret, quote(secret), quote(secret, safe=""), raw.hex(), repr(secret)[1:-1], *inside,
            *(text.replace("+", "-").replace("/", "_") for text in inside)}


def leaks(text: str, *names: str) -> list[str]:
    """The planted secrets (those named, else all) of which `text` has the beginning or more, and in which form."""
    found = [f"{name} as {form}" for name in names or PLANTED for form in forms(PLANTED[name])
             if form[:16].lower() in text.lower()]
    return found + [f"a part: {part}" for part in re.findall(f".{{0,20}}{MARK}.{{0,20}}", unquote_plus(text))]
