"""Streaming from a SQLite file."""

import asyncio
import sqlite3
import time
import tracemalloc

import pytest

from outreach_stream.catalog.models import RecipientQuery
from outreach_stream.recipients.failures import DatabaseUnavailable, QueryFailed, QueryTimeout
from outreach_stream.recipients.query import stream

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS email FROM n"


@pytest.fixture
def people(tmp_path):
    """A database in a folder whose name needs quoting in a URI."""
    path = tmp_path / "50% people?" / "people.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER, email TEXT, name TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?, ?)",
                               [(n, f"p{n}@example.com", f"P {n}") for n in range(2_500)])
    connection.close()
    return path


def ask(path, sql, timeout="20s"):
    return RecipientQuery(database=f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}",
                          query=sql, timeout=timeout)


async def rows_of(query, parameters=None):
    async with stream(query, parameters) as rows:
        return rows.columns, [tuple(row) async for batch in rows for row in batch]


async def read(query, into):
    async with stream(query) as rows:
        async for batch in rows:
            into += batch


async def test_batches_and_parameters(people):
    """Rows come in batches of a thousand; a parameter that is NULL is bound as such."""
    async with stream(ask(people, "SELECT email, name FROM people WHERE (:id IS NULL OR id = :id) ORDER BY id"),
                      {"id": None}) as rows:
        assert rows.columns == ("email", "name")
        sizes = [len(batch) async for batch in rows]

    assert sizes == [1_000, 1_000, 500]


async def test_a_number_beyond_64_bits_is_refused(people):
    """SQLite's driver raises what is no database error: it is one of the query all the same."""
    with pytest.raises(QueryFailed, match="more than 64 bits"):
        await rows_of(ask(people, "SELECT email FROM people WHERE id = :id"), {"id": 2**63})


async def test_an_unknown_option_of_a_url_is_a_failure_of_ours(monkeypatch):
    """The driver takes it for an argument; nothing of the URL is repeated."""
    monkeypatch.setenv("PEOPLE", "postgresql://bob:s3cr3t@127.0.0.1:9/people?foo=s3cr3t")
    query = RecipientQuery(database="env:PEOPLE", query="SELECT 1 AS email")
    with pytest.raises(QueryFailed, match="cannot be run: TypeError"):
        await rows_of(query)


async def test_writes_are_refused(people):
    """Neither the file nor a pragma lets a query write."""
    with pytest.raises(QueryFailed, match="may only read"):
        await rows_of(ask(people, "DELETE FROM people RETURNING email"))

    connection = sqlite3.connect(people)
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (2_500,)
    connection.close()


async def test_timeout(people):
    """A query that never ends is ended by its timeout, and its thread with it."""
    began = time.monotonic()

    with pytest.raises(QueryTimeout):
        await rows_of(ask(people, ENDLESS, "300ms"))

    assert time.monotonic() - began < 5


async def test_a_million_rows_that_take_too_long_end_in_the_middle(people):
    """The timeout is that of all rows together; it is final, and nobody's lock is left on the file."""
    seen = []
    slow = ("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200 + a.id % 2) "
            "SELECT max(i) FROM n)")

    with pytest.raises(QueryTimeout, match=r"raise recipients\.timeout") as failure:
        await read(ask(people, f"SELECT a.email, {slow} FROM people a, people b LIMIT 1000000", "1s"), seen)

    assert 0 < len(seen) < 1_000_000
    assert not failure.value.retriable, "asked again, it would take as long again"
    with sqlite3.connect(people, timeout=0) as connection:
        connection.execute("DELETE FROM people")
    connection.close()


async def test_cancellation_ends_the_thread(people):
    """A cancelled reader is gone at once: the endless query is interrupted and its thread ends."""
    task = asyncio.create_task(rows_of(ask(people, ENDLESS)))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 2


async def test_bounded_memory(people):
    """A quarter of a million rows stream through a few megabytes."""
    tracemalloc.start()
    total = 0
    async with stream(ask(people, "SELECT a.email, a.name FROM people a, (SELECT id FROM people LIMIT 100)")) as rows:
        async for batch in rows:
            total += len(batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert total == 250_000
    assert peak < 10_000_000


async def test_a_missing_file_is_not_created(tmp_path):
    """A wrong path is an error, not a new empty database."""
    with pytest.raises(DatabaseUnavailable, match="does not exist"):
        await rows_of(ask(tmp_path / "no.db", "SELECT 1 AS email"))

    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize(("sql", "says"), [
    ("SELECT email FROM peple", "no such table: peple"),
    ("SELEC email", "syntax error"),
    ("PRAGMA query_only = OFF", "returns no rows"),
    ("SELECT email FROM people WHERE id = :who", "who"),
])
async def test_a_bad_query_says_why(people, sql, says):
    """What is wrong with a query is said in SQLite's own words."""
    with pytest.raises(QueryFailed, match=says):
        await rows_of(ask(people, sql))
