"""A look at the people that a query finds: the first ones, and how many are mailed or left out, and why."""

from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
from typing import Any

from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.recipients.addresses import AddressSet
from outreach_stream.recipients.intake import Columns, Intake, Recipient, Skipped
from outreach_stream.recipients.query import Query, stream

TO_MAIL = "to mail"
"""What is counted of those who are left out by nothing."""


def _unseen(_: int) -> None:
    """Nobody looks on."""


class Look:
    """What was seen: it decides as a run does, and mails nobody."""

    def __init__(self, show: int, read: int | None = None, *, unsubscribed: Container[str] = (),
                 progress: Callable[[int], None] = _unseen) -> None:
        """Keeps the first `show` people, and stops after `read` rows (None: at the end); tells how many it has read."""
        self._show, self._read, self._unsubscribed, self._progress = show, read, unsubscribed, progress
        self.complete = False
        """Whether it saw the last one."""
        self.shown: list[Recipient | Skipped] = []
        self.counts: Counter[str] = Counter()

    async def at(self, query: Query, parameters: Mapping[str, Any],
                 suppressed: Callable[[], Awaitable[AddressSet]]) -> None:
        """Read as far as is wanted; raises `RecipientsFailed`, and keeps what it has seen by then."""
        intake = Intake(await suppressed(), self._unsubscribed)
        async with stream(query, parameters) as rows:
            columns = Columns(rows.columns)
            async for batch in rows:
                for row in batch:
                    if self.counts.total() == self._read:
                        return
                    self._see(columns.decide(intake, row))
                self._progress(self.counts.total())
        self.complete = True

    def over(self, given: Iterable[InlineRecipient], suppressed: AddressSet) -> None:
        """Look at people who come with a trigger; raises `RecipientsFailed`."""
        intake = Intake(suppressed, self._unsubscribed)
        for each in given:
            self._see(intake.decide(each.email, each.name, dict(each.variables)))
        self.complete = True

    def _see(self, decided: Recipient | Skipped) -> None:
        self.counts[decided.reason if isinstance(decided, Skipped) else TO_MAIL] += 1
        if len(self.shown) < self._show:
            self.shown.append(decided)


async def first_recipient(query: Query, parameters: Mapping[str, Any], read: int) -> Recipient | None:
    """The first valid address among the first `read` rows, suppressed or not: it is not mailed.

    Raises `RecipientsFailed`.
    """
    intake, seen = Intake(), 0
    async with stream(query, parameters) as rows:
        columns = Columns(rows.columns)
        async for batch in rows:
            for row in batch[:read - seen]:
                if isinstance(found := columns.decide(intake, row), Recipient):
                    return found
            seen += len(batch)
            if seen >= read:
                break
    return None


def told(decided: Recipient | Skipped) -> dict[str, Any]:
    """One of them, for programs."""
    if isinstance(decided, Skipped):
        return {"email": decided.email, "skipped": decided.reason}
    return {"email": decided.email, "name": decided.name, "variables": decided.variables}
