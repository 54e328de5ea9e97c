"""Streaming from a real PostgreSQL."""

import asyncio
import time
from datetime import date
from decimal import Decimal

import pytest

from outreach_stream.catalog.models import RecipientQuery
from outreach_stream.recipients.failures import DatabaseUnavailable, QueryFailed, QueryTimeout
from outreach_stream.recipients.query import stream

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outreach-stream'"


@pytest.fixture
def ask(postgresql, monkeypatch):
    """Makes a query on the test's server, whose URL comes from the environment."""
    monkeypatch.setenv("PEOPLE_DB", postgresql)
    return lambda sql, timeout="20s": RecipientQuery(database="env:PEOPLE_DB", query=sql, timeout=timeout)


async def rows_of(query, parameters=None):
    async with stream(query, parameters) as rows:
        return rows.columns, [tuple(row) async for batch in rows for row in batch]


async def read(query, into):
    async with stream(query) as rows:
        async for batch in rows:
            into += batch


async def no_sessions(database):
    """Waits for the server to have seen our connection go."""
    for _ in range(100):
        if await database.fetchval(SESSIONS) == 0:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_columns_and_rows(ask, database):
    """Columns come first, then the rows with the database's own types; only named parameters are bound."""
    await database.execute("INSERT INTO people VALUES (1, 'a@example.com', 'Ada', '2024-02-29', 12.50)")
    query = ask("SELECT email, name, joined, balance FROM people WHERE id = :id")

    columns, rows = await rows_of(query, {"id": 1, "unused": "x"})

    assert columns == ("email", "name", "joined", "balance")
    assert rows == [("a@example.com", "Ada", date(2024, 2, 29), Decimal("12.50"))]


async def test_writes_are_refused(ask, database):
    """No query can change the database, not even one hidden in a WITH."""
    query = ask("WITH gone AS (DELETE FROM people RETURNING email) SELECT email FROM gone")
    await database.execute("INSERT INTO people VALUES (1, 'a@example.com', 'Ada')")

    with pytest.raises(QueryFailed, match="may only read"):
        await rows_of(query)

    assert await database.fetchval("SELECT count(*) FROM people") == 1


async def test_timeout_ends_the_query_on_the_server(ask, database):
    """A query beyond its timeout fails in time, and the server is not left working at it."""
    began = time.monotonic()

    with pytest.raises(QueryTimeout, match=r"longer than 0\.5 s"):
        await rows_of(ask("SELECT 'a@example.com' AS email, pg_sleep(30)::text", "500ms"))

    assert time.monotonic() - began < 5
    assert await no_sessions(database)


async def test_a_million_rows_that_take_too_long_end_in_the_middle(ask, database):
    """The timeout is that of all rows together: those read by then were good, it is final, and nothing stays open."""
    seen = []
    slow = "SELECT n || '@example.com' AS email, pg_sleep(0.0001)::text FROM generate_series(1, 1000000) n"

    with pytest.raises(QueryTimeout, match=r"raise recipients\.timeout") as failure:
        await read(ask(slow, "4s"), seen)

    assert 0 < len(seen) < 1_000_000
    assert not failure.value.retriable, "asked again, it would take as long again"
    assert await no_sessions(database)


async def test_time_between_batches_is_the_callers(ask, database):
    """A slow consumer does not use up the query's timeout."""
    query = ask("SELECT n || '@example.com' AS email FROM generate_series(1, 3000) n", "1s")
    total = 0
    async with stream(query) as rows:
        async for batch in rows:
            total += len(batch)
            await asyncio.sleep(0.5)

    assert total == 3_000


async def test_cancellation_leaves_no_connection(ask, database):
    """A cancelled reader ends the statement and its connection, whether it waits for rows or between batches."""
    task = asyncio.create_task(rows_of(ask("SELECT 'a@example.com' AS email, pg_sleep(30)::text")))
    await asyncio.sleep(0.5)
    assert await database.fetchval(SESSIONS) == 1
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await no_sessions(database)


async def test_leaving_early_leaves_no_connection(ask, database):
    """An error of the consumer's own closes the connection as well."""
    async def give_up():
        async with stream(ask("SELECT n || '@example.com' AS email FROM generate_series(1, 100000) n")) as rows:
            async for _ in rows:
                raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await give_up()
    assert await no_sessions(database)


@pytest.mark.parametrize(("sql", "says"), [
    ("SELECT email FROM peple", 'relation "peple" does not exist'),
    ("SELEC email", "syntax error"),
    ("SELECT 1/0 AS email", "SQLSTATE 22012"),
    ("SELECT email FROM people WHERE id = :who", "who"),
    ("SELECT 1 AS email; SELECT 2", "multiple commands"),
    ("SET TRANSACTION READ WRITE", "must be one SELECT|returns no rows|refused"),
])
async def test_a_bad_query_says_why(ask, database, sql, says):
    """What is wrong with a query is said in one line, without SQLAlchemy's wrapping."""
    with pytest.raises(QueryFailed, match=says) as failure:
        await rows_of(ask(sql))

    assert "\n" not in str(failure.value)
    assert "sqlalche" not in str(failure.value)


async def test_a_value_is_never_sql(ask, database):
    """A parameter is bound, whatever it holds."""
    await database.execute("INSERT INTO people VALUES (1, 'a@example.com', 'Ada')")

    _, rows = await rows_of(ask("SELECT email FROM people WHERE name = :name"), {"name": "' OR 1=1 --"})

    assert rows == []


async def test_unreachable_and_masked(monkeypatch):
    """An unreachable server is a failure that may pass; it does not tell the password."""
    monkeypatch.setenv("PEOPLE_DB", "postgresql://outreach:hunter2@127.0.0.1:1/people")

    with pytest.raises(DatabaseUnavailable) as failure:
        await rows_of(RecipientQuery(database="env:PEOPLE_DB", query="SELECT 1 AS email"))

    assert failure.value.retriable
    assert "hunter2" not in str(failure.value) + repr(failure.value)
