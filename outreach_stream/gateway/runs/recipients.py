"""Pages of a run's recipients: how it ended for each, from the results or from the finished log."""

from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

import orjson
import structlog
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ValidationError

from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.marks import STATUS_OF, Marks
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.gateway.runs.paging import RecipientPlace, Source, bad_cursor
from outreach_stream.gateway.runs.recipient_log import entries
from outreach_stream.gateway.runs.results import SECONDS, Found, Scans, Times
from outreach_stream.runs.log_store import open_log
from outreach_stream.runs.results import MalformedResultError, read_result

_log = structlog.get_logger()


class Recipient(BaseModel):
    """How it ended for one recipient; null is not known."""

    email: str
    status: RecipientStatus | None
    reason: str | None = None
    """Why it did not go out: a short code, and often the provider's words after it."""
    engine: str | None = None
    attempts: int | None = None
    possible_duplicate: bool = False
    message_id: str | None = None
    provider_message_id: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class Recipients(BaseModel):
    """Some of a run's recipients; those who have no end yet are not among them."""

    recipients: list[Recipient]
    next: str | None
    """Where the next page begins, even after an empty page; null: that was all there is now."""
    source: Source
    """`log`: the run has ended, and this is its log. `results`: as they come, where a later page may correct one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recipients are asked for."""

    statuses: frozenset[RecipientStatus] = frozenset()
    """Empty: all."""
    search: str = ""
    """Part of the address, in whatever case."""

    def status(self, status: str | None) -> bool:
        """Whether one who ended so is wanted."""
        return not self.statuses or status in self.statuses

    def email(self, email: object) -> bool:
        """Whether one with that address is wanted."""
        return not self.search or (isinstance(email, str) and self.search.casefold() in email.casefold())


class Page:
    """Takes in one run's results, and keeps those that are wanted: of each recipient the strongest word there was."""

    def __init__(self, run: str, wanted: Wanted, limit: int) -> None:
        self._run, self._wanted, self._limit = run, wanted, limit
        self._marks: dict[int, Marks] = {}
        self._rows: dict[tuple[int, int], Recipient] = {}

    @property
    def rows(self) -> list[Recipient]:
        """Those found, in the order in which they ended."""
        return list(self._rows.values())

    @property
    def full(self) -> bool:
        """Whether there are as many as were asked for."""
        return len(self._rows) >= self._limit

    def take(self, found: Found) -> None:
        """Look at one result; one that cannot be read is passed over."""
        try:
            result = read_result(found.value, found.offset)
        except MalformedResultError:
            return
        marks = self._marks.setdefault(result.chunk, Marks())
        marks.set(result.mark, result.index)
        status, recipient = STATUS_OF[result.mark], (result.chunk, result.index)
        if result.run_id != self._run or marks.end(result.index) != status:
            return
        if not self._wanted.status(status):
            self._rows.pop(recipient, None)
        elif ((known := self._rows.get(recipient)) is None or known.status != status) and (
                row := self._row(found.value)):
            self._rows[recipient] = row

    def _row(self, value: bytes) -> Recipient | None:
        body = orjson.loads(value)
        return _recipient(body) if self._wanted.email(body["email"]) else None


async def recipients(scans: Scans, status: RunStatus, wanted: Wanted, limit: int,
                     place: RecipientPlace | None) -> Recipients:
    """A page that begins at `place`, or at the beginning: from the log, if the run has ended and it is to be had here.

    Memory and time do not grow with the run: what was looked at within SECONDS is answered, with where to go on. Raises
    `RequestValidationError` for a place where no page begins, `ResultsUnavailableError`.
    """
    if place is None or place.source == "log":
        if (page := await _from_log(scans, status, wanted, limit, place.offset if place else 0)) is not None:
            return page
        if place is not None:
            raise bad_cursor()
    return await _from_results(scans, status, wanted, limit, place.offset if place else None)


async def _from_results(scans: Scans, status: RunStatus, wanted: Wanted, limit: int, offset: int | None) -> Recipients:
    page = Page(status.run_id, wanted, limit)
    async with (scans.open(status.run_id, Times.of(status), offset) as scan, aclosing(scan.batches()) as batches):
        async for batch in batches:
            for found in batch:
                page.take(found)
                if page.full:
                    return _page(page.rows, "results", found.offset + 1 if found.offset + 1 < scan.end else None)
        return _page(page.rows, "results", None if scan.done else scan.offset)


async def _from_log(scans: Scans, status: RunStatus, wanted: Wanted, limit: int, offset: int) -> Recipients | None:
    """None: there is no log of the run, or not here."""
    if not status.log or status.log.rpartition("/")[2] != f"{status.run_id}.json":
        return None
    async with scans.place():
        try:
            return await run_in_threadpool(_read_log, status.log, wanted, limit, offset)
        except (OSError, ValueError) as error:
            _log.debug("log_not_readable_here", run_id=status.run_id, error=type(error).__name__)
            return None


def _read_log(place: str, wanted: Wanted, limit: int, offset: int) -> Recipients:
    rows, until = list[Recipient](), monotonic() + SECONDS
    statuses = [f'"status":"{status}"'.encode() for status in wanted.statuses]
    with open_log(place) as log:
        for number, (line, after) in enumerate(entries(log, offset)):
            # The bytes tell that most are not wanted, ten times as fast as the entry.
            if not statuses or any(status in line for status in statuses):
                entry = orjson.loads(line)
                if wanted.status(entry.get("status")) and wanted.email(entry.get("email")):
                    rows += filter(None, [_recipient(entry)])
            if len(rows) >= limit or (number % 256 == 0 and monotonic() > until):
                return _page(rows, "log", after if after < log.size - _TAIL else None)
    return _page(rows, "log", None)


_TAIL = len(b"\n  ]\n}\n")
"""Bytes of a log behind its last recipient."""


def _recipient(body: dict[str, object]) -> Recipient | None:
    try:
        return Recipient.model_validate(body)
    except ValidationError:
        return None


def _page(rows: list[Recipient], source: Source, offset: int | None) -> Recipients:
    return Recipients(recipients=rows, next=None if offset is None else RecipientPlace(source, offset).cursor,
                      source=source)
