"""Text into header fields: RFC 5322 quoting and folding, RFC 2047 encoded words, never a line of somebody else."""

import re
from binascii import b2a_base64

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
"""RFC 5322 section 3.2.5: atoms and spaces need no quotes."""

_ENCODED_WORD = re.compile(r"=\?[^? ]*\?[^? ]*\?[^? ]*\?=")
"""What readers would decode though nobody encoded it."""

_LINE = 78
"""Characters a header line should have at most (RFC 5322 section 2.1.1); with encoded words 76 (RFC 2047 section 2)."""

_ENCODED_LINE = 76
_WRAPPING = len("=?utf-8?b??=")
_LONGEST_QUOTED = 60
"""A longer name goes in encoded words, which can be folded anywhere."""


def one_line(text: str) -> str:
    """`text` as one line: control characters and runs of white space become one space, the ends are trimmed.

    What is left cannot end a header field and begin another.
    """
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    elif "  " not in text and text == text.strip():
        return text  # The space is the only white space that is printable.
    return " ".join(text.split())


def unstructured(text: str, *, before: int) -> str:
    """One line of text as a header's value, folded; `before` is the length of the header's name and colon."""
    if text.isascii() and "=?" not in text:
        if before + len(text) <= _LINE:
            return text
        if max(map(len, text.split(" "))) < _LINE - before:
            return _folded(text, before)
    return _encoded_words(text, before)


def extension(name: str, value: str) -> str:
    """A header that is nobody's but the workflow's: who reads it may not decode, so ASCII stays as it is, folded."""
    before = len(name) + 2
    if not value.isascii() or ("=?" in value and _ENCODED_WORD.search(value)):
        value = _encoded_words(value, before)
    elif before + len(value) > _LINE and " " in value:
        value = _folded(value, before)
    return f"{name}: {value}\r\n"


def mailbox(email: str, name: str, *, before: int) -> str:
    """`name <email>` as a header's value, folded; an empty name leaves the bare address.

    `email` must have been checked, `name` is one line of anything.
    """
    if not name:
        return email
    if not name.isascii() or "=?" in name or len(name) > _LONGEST_QUOTED:
        phrase = _encoded_words(name, before)
    elif _PHRASE.fullmatch(name):
        phrase = name
    else:
        phrase = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    used = len(phrase) - phrase.rfind("\n") - 1 if "\n" in phrase else before + len(phrase)
    return f"{phrase}{' ' if used + len(email) + 3 <= _LINE else '\r\n '}<{email}>"


def _folded(text: str, before: int) -> str:
    """`text` broken before words so that lines keep to the limit; unfolding gives it back exactly."""
    lines, used = [], before
    line: list[str] = []
    for word in text.split(" "):
        if line and used + len(word) > _LINE:
            lines.append(" ".join(line))
            line, used = [], 1
        line.append(word)
        used += len(word) + 1
    return "\r\n ".join([*lines, " ".join(line)])


def _encoded_words(text: str, before: int) -> str:
    """`text` in base64 encoded words, none of which splits a character (RFC 2047 section 5)."""
    data = text.encode("utf-8", "replace")
    words, start, end, size = [], 0, _room(before), len(data)
    while end < size:
        while data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - a continuation byte of UTF-8
            end -= 1
        words.append(b2a_base64(data[start:end], newline=False))
        start, end = end, end + _LATER
    words.append(b2a_base64(data[start:], newline=False))
    return f"=?utf-8?b?{b"?=\r\n =?utf-8?b?".join(words).decode()}?="


def _room(before: int) -> int:
    """Bytes whose base64 fits on a line after `before` characters."""
    return (_ENCODED_LINE - before - _WRAPPING) // 4 * 3


_LATER = _room(1)
