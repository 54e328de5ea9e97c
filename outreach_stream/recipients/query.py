"""A query's rows, streamed: read-only, in constant memory, for a limited time, and with no connection left behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncResult

from outreach_stream.recipients.databases import begin_reading, open_database
from outreach_stream.recipients.failures import QueryFailed
from outreach_stream.recipients.translation import FOREIGN, timed_out, translated

BATCH = 1_000
"""Rows fetched at once."""

_CLOSING = 5.0
"""Seconds a connection may take to close politely."""


class Query(Protocol):
    """What is asked of whom; a catalog's `RecipientQuery` is one."""

    @property
    def database(self) -> str:
        """`sqlite:///path`, `postgresql://…` or `env:NAME`."""

    @property
    def query(self) -> str:
        """SQL with parameters like `:name`."""

    @property
    def timeout(self) -> float:
        """Seconds the database may take."""


class Rows:
    """Rows in batches; iterate once."""

    def __init__(self, result: AsyncResult[Any], waiting: "_Budget") -> None:
        self._result = result
        self._waiting = waiting
        self.columns: tuple[str, ...] = tuple(result.keys())

    async def __aiter__(self) -> AsyncIterator[Sequence[Sequence[Any]]]:
        """Lists of up to `BATCH` rows; raises `RecipientsFailed`."""
        while batch := await self._waiting.spend(self._result.fetchmany(BATCH)):
            yield batch


@asynccontextmanager
async def stream(
    query: Query, parameters: Mapping[str, Any] | None = None, *, timeout: float | None = None,  # noqa: ASYNC109
) -> AsyncIterator[Rows]:
    """The rows of `query`, of whose `parameters` it takes those it names; raises `RecipientsFailed`.

    `timeout` (default: the query's own) counts the seconds spent waiting for the database, not those its caller
    takes between batches. Leaving the context, by whatever road, ends the statement and closes the connection.
    """
    budget = _Budget(query.timeout if timeout is None else timeout)
    engine = open_database(query.database)
    try:
        connection = await budget.spend(engine.connect().start())
        try:
            budget.stop = await budget.spend(begin_reading(connection, seconds=budget.left))
            result = await budget.spend(_execute(connection, query.query, parameters or {}))
            yield Rows(result, budget)
        finally:
            budget.stop()
            # A cancelled caller must not leave before the connection has gone.
            await asyncio.shield(_close(connection))
    finally:
        await engine.dispose()


class _Budget:
    """The time that a database may still take, and the place where its errors become ours."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left = seconds
        self.stop: Callable[[], None] = _nothing
        """Ends the statement that runs at this moment."""

    async def spend[T](self, step: Coroutine[Any, Any, T]) -> T:
        """The result of `step`, its duration taken from the budget; a cancelled step has ended when this returns."""
        began = time.monotonic()
        task = asyncio.create_task(step)
        try:
            await asyncio.wait({task}, timeout=max(self.left, 0))
            if not task.done():
                raise timed_out(self._seconds)
            return task.result()
        except FOREIGN as error:
            raise translated(error, self._seconds) from error
        finally:
            self.left -= time.monotonic() - began
            if not task.done():
                await self._end(task)

    async def _end(self, task: asyncio.Task[Any]) -> None:
        # The statement first: a driver that tidies up behind a running one waits for its end.
        self.stop()
        task.cancel()
        await asyncio.wait({task}, timeout=_CLOSING)


def _nothing() -> None:
    """Nothing runs yet."""


async def _execute(connection: AsyncConnection, query: str, given: Mapping[str, Any]) -> AsyncResult[Any]:
    statement = text(query)
    named = statement.compile().params
    missing = sorted(set(named) - set(given))
    if missing:
        raise QueryFailed(f"the query names parameters that the run does not have: {', '.join(missing)} "
                          r"(a colon that begins no parameter is written \:)")
    values = {name: given[name] for name in named}
    result = await connection.stream(statement, values, execution_options={"yield_per": BATCH})
    try:
        result.keys()
    except ResourceClosedError as error:
        raise QueryFailed("the query returns no rows: it must be one SELECT") from error
    return result


async def _close(connection: AsyncConnection) -> None:
    """Roll back and close; what hangs or fails while it closes is cut."""
    try:
        async with asyncio.timeout(_CLOSING):
            await connection.close()
    except FOREIGN:  # A TimeoutError is an OSError.
        await connection.invalidate()
