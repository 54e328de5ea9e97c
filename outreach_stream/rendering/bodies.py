"""A body in the cheapest safe encoding: 7bit, 8bit where the server takes it, else quoted-printable or base64."""

from binascii import b2a_base64, b2a_qp

_LONGEST_LINE = 998
"""Octets of a line without its CRLF (RFC 5322 section 2.1.1)."""

_BASE64_LINE = 76
_DENSE = 6
"""Quoted-printable triples each octet beyond ASCII: from one octet in six on, base64 is the shorter."""

_HEADERS = {
    (subtype, encoding, ascii_only): (
        f'Content-Type: text/{subtype}; charset="{"us-ascii" if ascii_only else "utf-8"}"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode()
    for subtype in ("plain", "html") for encoding in ("7bit", "8bit", "quoted-printable", "base64")
    for ascii_only in (False, True)
}


def encode_body(subtype: str, body: str, *, eight_bit: bool, without: str) -> tuple[bytes, bytes]:
    """A `text/<subtype>` entity: its headers with an empty line, and the body with CRLF line ends and one at its end.

    `without`: what begins with "=_" and is not to stand in it, as it does in no encoded body (RFC 2045 section 6.7).
    """
    text = body.replace("\r\n", "\n").replace("\r", "\n") if "\r" in body else body
    if text[-1:] != "\n":
        text += "\n"
    data, ascii_only = text.encode("utf-8", "replace"), text.isascii()
    if (ascii_only or eight_bit) and without not in text and _fits(data):
        return _HEADERS[subtype, "7bit" if ascii_only else "8bit", ascii_only], data.replace(b"\n", b"\r\n")
    # The octets a text has beyond its characters are continuation octets of UTF-8.
    if (len(data) - len(text)) * _DENSE > len(data):
        return _HEADERS[subtype, "base64", ascii_only], base64_lines(data.replace(b"\n", b"\r\n"))
    return _HEADERS[subtype, "quoted-printable", ascii_only], b2a_qp(data).replace(b"\n", b"\r\n")


def _fits(data: bytes) -> bool:
    """Whether the lines may go as they are: none too long, and no NUL (RFC 2045 section 2.7)."""
    start, end = 0, len(data)
    # As many lines at once as a single one may be long: only the last line end among them has to be found.
    while end - start > _LONGEST_LINE:
        start = data.rfind(b"\n", start, start + _LONGEST_LINE + 1) + 1
        if not start:
            return False
    return data.find(b"\0") < 0  # `in` would first ask whether the octets are a number.


def base64_lines(data: bytes) -> bytes:
    """Base64 as a MIME body: lines of 76, each ending in CRLF (RFC 2045 section 6.8)."""
    encoded = b2a_base64(data, newline=False)
    lines = [encoded[start:start + _BASE64_LINE] for start in range(0, len(encoded), _BASE64_LINE)]
    return b"\r\n".join([*lines, b""])
