"""The log's recipients: from all that was published of a run, one entry for each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from outreach_stream.domain.events import RunChunk
from outreach_stream.domain.marks import Mark, Marks
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.runs.tally import Tally

_SKIPPED, _GONE = RecipientStatus.SKIPPED, "its result is no longer kept"
_UNKNOWN = "no end is known"


def segments(tallies: Iterable[Tally]) -> list[tuple[int, int]]:
    """Offset ranges `[start, end)` that hold all results of these chunks, in order, none read twice."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((tally.first, tally.last + 1) for tally in tallies if tally.first >= 0):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


class Entries:
    """Makes log lines of results: for each recipient the first result that tells its end, and no other.

    Results come several times (after a crash) and may disagree; the marks say which end is believed. Memory: the
    marks, and one bit for each recipient written.
    """

    def __init__(self, run_id: str, tallies: Mapping[int, Tally], *, endless: bool = False) -> None:
        """`endless`: those without an end have lines too."""
        self._run_id, self._endless = run_id, endless
        self._needle = run_id.encode()
        self._head = b'{"schema_version":1,"run_id":"%b"' % self._needle    # of nearly all, and so found at once
        self._marks = {chunk: tally.marks for chunk, tally in tallies.items()}
        self._ends = {chunk: marks.ends() for chunk, marks in self._marks.items()}
        self._written: dict[int, int] = dict.fromkeys(tallies, 0)

    def of_results(self, values: Sequence[bytes | None]) -> Iterator[bytes]:
        """Lines for those recipients that these results of any runs are the first to tell the end of."""
        for value in values:
            if value is None or not (value.startswith(self._head) or self._needle in value):
                continue
            try:
                result = orjson.loads(value)
                if result["run_id"] == self._run_id:
                    chunk, bit = result["chunk"], 1 << result["index"]
                    if self._ends[chunk].get(result["status"], 0) & bit and not self._written[chunk] & bit:
                        self._written[chunk] |= bit
                        yield _line(result, doubted=self._marks[chunk].bits[Mark.DOUBTED] & bit != 0)
            except (ValueError, KeyError, TypeError):
                continue                        # it was buried when it was to be counted

    @property
    def complete(self) -> bool:
        """Every recipient that has an end has its line."""
        return not any(self._ended(chunk) & ~written for chunk, written in self._written.items())

    def _ended(self, chunk: int) -> int:
        ended = 0
        for mark in Mark:
            if mark not in (Mark.MOVED, Mark.DOUBTED):
                ended |= self._marks[chunk].bits[mark]
        return ended

    def of_chunk(self, value: bytes) -> Iterator[bytes]:
        """Lines for those the planner skipped, and for those of whom only the marks are left."""
        chunk = RunChunk.model_validate_json(value)
        for email, reason in chunk.skipped:
            yield _line({"email": email, "status": _SKIPPED, "reason": reason}, doubted=False)
        yield from self.of_people(chunk.chunk, [row[0] for row in chunk.rows])

    def of_people(self, chunk: int, emails: Sequence[str]) -> Iterator[bytes]:
        """Lines for those of a chunk of whom only the marks are left, if even those."""
        marks, written = self._marks.get(chunk, Marks()), self._written.get(chunk, 0)
        due = (~0 if self._endless else self._ended(chunk)) & ~written if chunk in self._marks or self._endless else 0
        for index, email in enumerate(emails) if due else ():
            if due >> index & 1:
                end = marks.end(index)
                told = {"email": email, "status": end, "reason": _GONE if end else _UNKNOWN, "attempts": None,
                        "recovered": end is not None}
                yield _line(told, doubted=marks.has(Mark.DOUBTED, index))
        if chunk in self._written:
            self._written[chunk] |= due & (1 << len(emails)) - 1


def _line(result: dict[str, Any], *, doubted: bool) -> bytes:
    get = result.get
    # Copied: `orjson.dumps` returns bytes that keep 4 KiB, which a page of lines would drag through the caches.
    return b"%b" % orjson.dumps({
        "email": get("email"), "status": get("status"), "reason": get("reason"), "engine": get("engine"),
        "message_id": get("message_id"), "provider_message_id": get("provider_message_id"),
        "attempts": get("attempts", 0), "possible_duplicate": doubted, "recovered": get("recovered", False),
        "started_at": get("started_at"), "finished_at": get("finished_at")})
