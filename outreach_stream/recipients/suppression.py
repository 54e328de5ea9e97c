"""Addresses that never get mail, read before the first recipient is decided on."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from outreach_stream.catalog.models import Workflow
from outreach_stream.recipients.addresses import AddressSet, canonical_address
from outreach_stream.recipients.failures import RecipientsFailed
from outreach_stream.recipients.query import Query, stream


class _Statement(NamedTuple):
    database: str
    query: str
    timeout: float


def read_suppression_file(path: Path | str) -> AddressSet:
    """One address a line; blank lines and those starting with `#` are ignored. Blocks; raises `RecipientsFailed`."""
    try:
        with Path(path).open(encoding="utf-8") as lines:
            return AddressSet(_canonical(line.strip()) for line in lines if line.strip() and line[0] != "#")
    except (OSError, UnicodeDecodeError) as error:
        # To mail those who said no is worse than to mail nobody.
        raise RecipientsFailed(f"the suppression file cannot be read: {type(error).__name__}") from error


async def query_suppression(recipients: Query, statement: str, parameters: Mapping[str, Any]) -> AddressSet:
    """The first column of `statement` on the recipients' database, within their timeout; raises `RecipientsFailed`."""
    found = AddressSet()
    async with stream(_Statement(recipients.database, statement, recipients.timeout), parameters) as rows:
        async for batch in rows:
            for row in batch:
                if isinstance(row[0], str):
                    found.add(_canonical(row[0]))
    return found


async def suppressed_for(workflow: Workflow, parameters: Mapping[str, Any]) -> AddressSet:
    """All addresses that must get no mail of `workflow`; raises `RecipientsFailed`."""
    rule = workflow.suppression
    if rule is None:
        return AddressSet()
    if rule.file is not None:
        return await asyncio.to_thread(read_suppression_file, rule.file)
    if rule.query is None or workflow.recipients is None:
        raise RecipientsFailed("a suppression query needs the database of recipients")
    return await query_suppression(workflow.recipients, rule.query, parameters)


def _canonical(address: str) -> str:
    """As recipients are compared; an entry that is no valid address can match none, and does no harm."""
    return canonical_address(address) or address
