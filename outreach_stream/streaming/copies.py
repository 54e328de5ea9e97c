"""How a table's key and its writer become one stored key, so that neither can be taken for part of the other."""

WRITER_BYTES = 8
"""Length of a writer's name."""

_ZERO, _ESCAPED, _END = b"\0", b"\0\xff", b"\0\0"
_TAIL = len(_END) + WRITER_BYTES


def escape(key: bytes) -> bytes:
    """The key with its zero bytes escaped: order and prefixes stay, and two zeros in a row cannot occur."""
    return key.replace(_ZERO, _ESCAPED) if _ZERO in key else key


def stored_prefix(key: bytes) -> bytes:
    """What the stored keys of all copies of `key`, and no others, begin with."""
    return escape(key) + _END


def stored_key(key: bytes, writer: bytes) -> bytes:
    """Where `writer` keeps its copy of `key`."""
    return escape(key) + _END + writer


def split(stored: bytes) -> tuple[bytes, bytes] | None:
    """Key and writer of a stored key; None for what is none (Faust keeps its offset beside the table's entries)."""
    if stored[-_TAIL:-WRITER_BYTES] != _END:
        return None
    key = stored[:-_TAIL]
    return key.replace(_ESCAPED, _ZERO) if _ZERO in key else key, stored[-WRITER_BYTES:]
