"""What is promised of a large and foreign PostgreSQL: constant memory, nothing written, and each row accounted for."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from outreach_stream.catalog.models import RecipientQuery, Suppression, Workflow
from outreach_stream.recipients.failures import QueryFailed
from outreach_stream.recipients.look import TO_MAIL, Look
from outreach_stream.recipients.query import stream
from outreach_stream.recipients.suppression import suppressed_for

ROW = 300
"""Bytes of a row's padding: kept, a million of them would be 300 MB."""

MEASURED = f"""
import asyncio, json, resource, sys
from outreach_stream.catalog.models import RecipientQuery
from outreach_stream.recipients.look import Look
from outreach_stream.recipients.addresses import AddressSet

SQL = ("SELECT 'p' || n || '@example.com' AS email, 'Pat ' || n AS name, repeat('x', {ROW}) AS pad "
       "FROM generate_series(1, :most) n")

async def looked(most):
    async def nobody():
        return AddressSet()
    look = Look(20)
    await look.at(RecipientQuery(database="env:PEOPLE_DB", query=SQL, timeout="5m"), {{"most": most}}, nobody)
    return look.counts.total()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

asyncio.run(looked(5_000))
before = peak()
total = asyncio.run(looked(int(sys.argv[1])))
print(json.dumps({{"total": total, "grown": peak() - before}}))
"""


def grown(url: str, rows: int) -> int:
    """Bytes by which a process grows at its peak, in reading so many rows and deciding on each."""
    answer = subprocess.run([sys.executable, "-c", MEASURED, str(rows)], capture_output=True, text=True, check=False,
                            env={**os.environ, "PEOPLE_DB": url}, timeout=100)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert told["total"] == rows
    return told["grown"]


def test_200_000_rows_make_no_process_large(postgresql):
    """The whole process grows by the set of addresses (25 bytes each) and some batches, not by the rows."""
    assert grown(postgresql, 200_000) < 25_000_000 < 200_000 * ROW


@pytest.mark.long
def test_a_million_rows_make_no_process_large(postgresql):
    """A million rows of 300 bytes: the set of their addresses, and no more than for a fifth of them besides."""
    assert grown(postgresql, 1_000_000) < 60_000_000 < 1_000_000 * ROW


@pytest.fixture
async def guarded(database, postgresql, monkeypatch):
    """The server as a query sees it, with a table of one row, a sequence, and a function that writes."""
    monkeypatch.setenv("PEOPLE_DB", postgresql)
    await database.execute("""
        INSERT INTO people VALUES (1, 'a@example.com', 'Ada');
        CREATE SEQUENCE IF NOT EXISTS numbers;
        CREATE OR REPLACE FUNCTION sneaky() RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN DELETE FROM people; RETURN 'a@example.com'; END $$;
    """)
    return database


async def read(query: RecipientQuery) -> None:
    async with stream(query) as rows:
        async for _ in rows:
            pass


@pytest.mark.parametrize("sql", [
    "INSERT INTO people VALUES (2, 'b@example.com') RETURNING email",
    "UPDATE people SET name = 'x' RETURNING email",
    "DROP TABLE people",
    "CREATE TABLE stolen AS SELECT email FROM people",
    "SELECT email INTO stolen FROM people",
    "TRUNCATE people",
    "SELECT sneaky() AS email",
    "SELECT nextval('numbers')::text AS email",
    "SELECT email FROM people FOR UPDATE",
    "SELECT set_config('transaction_read_only', 'off', true) AS email, sneaky() AS name",
    "SELECT email FROM people; DELETE FROM people",
    "COMMIT",
    "GRANT ALL ON people TO PUBLIC",
])
async def test_nothing_is_written_by_whatever_is_called_a_query(guarded, sql):
    """Statements that write, functions that do, locks, sequences, and ways out of the read-only transaction."""
    with pytest.raises(QueryFailed):
        await read(RecipientQuery(database="env:PEOPLE_DB", query=sql))

    assert await guarded.fetchval("SELECT string_agg(email || name, ',') FROM people") == "a@example.comAda"
    assert await guarded.fetchval("SELECT to_regclass('stolen')") is None
    assert await guarded.fetchval("SELECT is_called FROM numbers") is False


@pytest.fixture
async def crowd(database, postgresql, monkeypatch):
    """A thousand people: some twice in other cases, some without an address, some who want no mail."""
    monkeypatch.setenv("PEOPLE_DB", postgresql)
    await database.execute("""
        DROP TABLE IF EXISTS unsubscribed;
        CREATE TABLE unsubscribed (address text, list text);
        INSERT INTO people (email, name) SELECT 'p' || n || '@example.com', 'Pat ' || n FROM generate_series(1, 1000) n;
        INSERT INTO people (email) SELECT upper(email) FROM people WHERE email LIKE 'p10%';
        INSERT INTO people (email) VALUES (NULL), (''), ('no address'), ('a@b'), ('x@example.com' || chr(10) || 'Bcc');
        INSERT INTO unsubscribed SELECT upper('p' || n || '@EXAMPLE.com'), 'news' FROM generate_series(1, 50) n;
        INSERT INTO unsubscribed SELECT 'p' || n || '@example.com', 'other' FROM generate_series(51, 90) n;
        INSERT INTO unsubscribed VALUES (NULL, 'news');
    """)


async def counts(suppression: Suppression) -> Counter[str]:
    workflow = Workflow.model_validate({
        "id": "7", "template": "t", "engines": ["relay"], "from": "a@shop.example.com",
        "parameters": {"list": "news"}, "suppression": suppression.model_dump(exclude_none=True),
        "recipients": {"database": "env:PEOPLE_DB", "query": "SELECT email, name FROM people"}})
    look = Look(0)
    assert workflow.recipients
    await look.at(workflow.recipients, {"list": "news"}, lambda: suppressed_for(workflow, {"list": "news"}))
    assert look.complete
    return look.counts


EXPECTED = Counter({TO_MAIL: 950, "suppressed": 51, "duplicate": 11, "invalid": 5})


async def test_a_table_of_the_database_suppresses(crowd):
    """By address in whatever case, of the list that a parameter names; everybody is counted once, with the reason."""
    assert await counts(Suppression(query="SELECT address FROM unsubscribed WHERE list = :list")) == EXPECTED


async def test_a_file_suppresses(crowd, tmp_path: Path):
    """The same people from a file, with comments and blank lines in it."""
    file = tmp_path / "no-mail.txt"
    file.write_text("# those who said no\n\n" + "".join(f"P{n}@example.com\n" for n in range(1, 51)))

    assert await counts(Suppression(file=str(file))) == EXPECTED


async def test_who_said_no_is_not_mailed_for_a_list_that_cannot_be_read(crowd):
    """A suppression query that fails ends it before anybody is decided on: nobody is mailed by mistake."""
    with pytest.raises(QueryFailed, match="does not exist"):
        await counts(Suppression(query="SELECT address FROM unsubscribd"))
