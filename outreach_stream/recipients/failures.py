"""Why a run's recipients cannot be had. The messages name columns and causes, never an address."""

from collections.abc import Iterable
from typing import ClassVar

from outreach_stream.confidential import hide


class RecipientsFailed(Exception):  # noqa: N818 - the state of the run that it leads to
    """The recipients cannot be read; the run cannot be planned."""

    retriable: ClassVar[bool] = False
    """Whether the same query may succeed later, with nothing changed by anybody."""

    def __init__(self, message: str) -> None:
        super().__init__(hide(message))


class DatabaseUnavailable(RecipientsFailed):
    """The database cannot be reached, or the link to it broke."""

    retriable = True


class QueryTimeout(RecipientsFailed):
    """The database took longer than the query's timeout."""


class QueryFailed(RecipientsFailed):
    """The database refused the query."""


class MissingEmailColumn(RecipientsFailed):
    """The query has no column `email`."""

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        super().__init__(f"the query has no column email; it has: {', '.join(self.columns) or 'none'} "
                         "(write: SELECT address AS email, …)")
