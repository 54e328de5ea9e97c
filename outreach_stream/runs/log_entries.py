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
_COPIED = ("email", "status", "reason", "engine", "message_id", "provider_message_id", "attempts",
           "possible_duplicate", "recovered", "started_at", "finished_at")
_DEFAULTS = {"attempts": 0, "recovered": False}


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
        self._marks = {chunk: tally.marks for chunk, tally in tallies.items()}
        self._written: dict[int, int] = dict.fromkeys(tallies, 0)

    def of_results(self, values: Sequence[bytes | None]) -> Iterator[bytes]:
        """Lines for those recipients that these results of any runs are the first to tell the end of."""
        for value in values:
            if value is None or self._needle not in value:
                continue
            try:
                result = orjson.loads(value)
                if result["run_id"] == self._run_id and self._is_due(result):
                    yield _line(result, self._marks[result["chunk"]].has(Mark.DOUBTED, result["index"]))
            except (ValueError, KeyError, TypeError):
                continue                        # it was buried when it was to be counted

    def _is_due(self, result: dict[str, Any]) -> bool:
        chunk, index = result["chunk"], result["index"]
        bit = 1 << index
        if self._written[chunk] & bit or self._marks[chunk].end(index) != result["status"]:
            return False
        self._written[chunk] |= bit
        return True

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


def _line(result: dict[str, Any], doubted: bool) -> bytes:
    get = result.get
    entry = {field: get(field, _DEFAULTS.get(field)) for field in _COPIED}
    entry["possible_duplicate"] = doubted
    return orjson.dumps(entry)
