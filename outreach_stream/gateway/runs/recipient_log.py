"""The recipients of a finished log, from any of them on: each has a line of its own (see `runs.log`)."""

from collections.abc import Iterator

from outreach_stream.gateway.runs.paging import bad_cursor
from outreach_stream.runs.log_store import LogReader

BLOCK = 1024 * 1024
"""Bytes that are read at a time."""

_BEGIN, _END = b'\n  "recipients": [\n', b"  ]"
_LONGEST_HEAD = 16 * BLOCK


class LogUnlikeError(ValueError):
    """It is not laid out as our logs are."""


def entries(log: LogReader, offset: int) -> Iterator[tuple[bytes, int]]:
    """The entries from byte `offset` (0: from the first one), each with the offset behind it. Blocks.

    Raises `RequestValidationError` where no entry begins, `LogUnlikeError`, OSError.
    """
    at, rest = offset or _first(log), b""
    block = log.read(at - 1, BLOCK)     # with the end of the line before: of a bucket, each read is a request
    if not block.startswith(b"\n"):
        raise bad_cursor()
    block = block[1:]
    while block:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            if line.startswith(_END):
                return
            if not line.startswith(b"    {"):
                raise bad_cursor() if offset else LogUnlikeError("no entry where one should be")
            at += len(line) + 1
            yield line.rstrip(b","), at
        block = log.read(at + len(rest), BLOCK)


def _first(log: LogReader) -> int:
    """Where the first entry begins."""
    head = b""
    while len(head) < _LONGEST_HEAD and (block := log.read(len(head), BLOCK)):
        seen = max(0, len(head) - len(_BEGIN))
        head += block
        if (found := head.find(_BEGIN, seen)) >= 0:
            return found + len(_BEGIN)
    raise LogUnlikeError("no recipients")
