"""Whether a workflow's query can be used: its database answers, only reads, and gives the columns that are needed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from outreach_stream.recipients.failures import QueryFailed
from outreach_stream.recipients.intake import Columns
from outreach_stream.recipients.query import Query, stream

_PROOFS = ("PRAGMA query_only", "SELECT current_setting('transaction_read_only')")
"""What the database itself says of our connection: SQLite, PostgreSQL."""


class _Asked(NamedTuple):
    database: str
    query: str
    timeout: float


class Probed(NamedTuple):
    """What a probe found."""

    read_only: bool
    """What the database says of the connection."""
    columns: tuple[str, ...] | None
    """Template variables that a row brings, beside email and name; None: the query was not run."""


async def probe(query: Query, parameters: Mapping[str, Any] | None, seconds: float) -> Probed:
    """Connect, ask whether the connection only reads, and begin the query: its first rows come, and no more.

    Without `parameters` (None) the query is not run. Raises `RecipientsFailed`.
    """
    read_only = await _read_only(query.database, seconds)
    if parameters is None:
        return Probed(read_only, None)
    async with stream(query, parameters, timeout=seconds) as rows:
        columns = Columns(rows.columns)
        async for _ in rows:
            break
    return Probed(read_only, columns.variables)


async def _read_only(database: str, seconds: float) -> bool:
    answers: list[object] = []
    for proof in _PROOFS:
        try:
            async with stream(_Asked(database, proof, seconds)) as rows:
                async for batch in rows:
                    answers += [row[0] for row in batch]
        except QueryFailed:     # the other one's words
            continue
        break
    return answers in ([1], ["on"])
