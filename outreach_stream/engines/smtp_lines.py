"""Replies out of the bytes that a server sends (RFC 5321 section 4.2): pure, but for what has not ended yet."""

from outreach_stream.engines.smtp_replies import Reply

_REPLY_LIMIT = 32_768
"""Bytes a reply may have, so that a babbling server does not fill our memory; RFC 5321 section 4.5.3.1.5 asks for
512 a line."""
_USUAL = {b"250 ": 250, b"354 ": 354}
"""Codes of replies that are parsed with the least work: nearly all are of one line."""
_KEPT = 8
"""Lines that are kept as they were understood: to MAIL, RCPT and DATA most servers say the same every time."""


class ReplyReader:
    """Takes bytes as they come, gives replies."""

    def __init__(self) -> None:
        self.broken: str | None = None
        """What came that is no reply. Nobody knows what anything after it answers, so nothing more is given."""
        self._rest = b""
        self._lines: list[str] = []
        self._known: dict[bytes, Reply] = {}

    def read(self, data: bytes) -> list[Reply]:
        """The replies that have ended with `data`: `250-` goes on, `250 ` ends."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        replies: list[Reply] = []
        for line in lines:
            reply = self._line(line) if self._lines else self._known.get(line) or self._usual(line) or self._line(line)
            if reply:
                replies.append(reply)
            elif self.broken:
                return replies
        if (self._rest or self._lines) and len(self._rest) + sum(map(len, self._lines)) > _REPLY_LIMIT:
            self.broken = "the reply does not end"
        return replies

    def _usual(self, line: bytes) -> Reply | None:
        code = _USUAL.get(line[:4])
        if code is None:
            return None
        reply = Reply(code, line[4:].decode("utf-8", "replace").strip())
        if len(self._known) < _KEPT:
            self._known[line] = reply
        return reply

    def _line(self, raw: bytes) -> Reply | None:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        code, mark = line[:3], line[3:4]
        if not (code.isascii() and code.isdecimal() and mark in ("", " ", "-")):
            self.broken = "not an SMTP reply"
            return None
        self._lines.append(line[4:].strip())
        if mark == "-":
            return None
        reply = Reply(int(code), "\n".join(self._lines))
        self._lines.clear()
        return reply
