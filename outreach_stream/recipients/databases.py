"""Connections that can only read, and give up in time: SQLite and PostgreSQL."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from outreach_stream.confidential import keep
from outreach_stream.recipients.failures import DatabaseUnavailable, QueryFailed

_STEPS = 20_000
"""SQLite instructions between two looks at the clock: about a millisecond."""

_APPLICATION = "outreach-stream"


def open_database(database: str) -> AsyncEngine:
    """An engine for `sqlite:///path`, `postgresql://…`, or `env:NAME` holding either; it keeps no connection.

    Raises `QueryFailed` when there is no such URL, `DatabaseUnavailable` when there is no such file; connects to
    nothing yet. The caller disposes of it.
    """
    url = _url(database)
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise QueryFailed("a SQLite database needs a path: sqlite:///people.db")
        if not Path(url.database).is_file():
            raise DatabaseUnavailable("the SQLite file of recipients.database does not exist")
        # mode=ro: the file is neither written nor, when it is missing, created.
        url = url.set(drivername="sqlite+aiosqlite", database=f"file:{quote(url.database)}",
                      query={"mode": "ro", "uri": "true"})
    elif url.get_backend_name() in {"postgresql", "postgres"}:
        # Of the words of other clients, sslmode is the one that is in everybody's URLs.
        query = {("ssl" if key == "sslmode" else key): value for key, value in url.query.items()}
        url = url.set(drivername="postgresql+asyncpg", query=query)
    else:
        raise QueryFailed(f"{url.get_backend_name()} is not a database this can read: use sqlite or postgresql")
    # hide_parameters: what a query is given may be an address, and errors are written down.
    return create_async_engine(url, poolclass=NullPool, hide_parameters=True)


async def begin_reading(connection: AsyncConnection, *, seconds: float) -> Callable[[], None]:
    """Make the connection read-only and limit its statements; returns what ends a statement that runs at this moment.

    The limit is the database's own, so a query ends even if this process is busy elsewhere.
    """
    if connection.dialect.name == "postgresql":
        await connection.execution_options(postgresql_readonly=True)
        await connection.execute(
            text("SELECT set_config('statement_timeout', :limit, true), set_config('application_name', :name, true)"),
            {"limit": f"{max(1, int(seconds * 1000))}ms", "name": _APPLICATION},
        )
        return _nothing  # asyncpg sends a cancel request itself when its caller is cancelled.
    await connection.execute(text("PRAGMA query_only = ON"))
    watch = _Watch(time.monotonic() + seconds)
    raw: Any = (await connection.get_raw_connection()).driver_connection
    await raw.set_progress_handler(watch.over, _STEPS)
    return watch.stop


class _Watch:
    """Tells SQLite, in its own thread, to give up."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def over(self) -> bool:
        return time.monotonic() > self._deadline

    def stop(self) -> None:
        self._deadline = 0.0


def _nothing() -> None:
    """Nothing to do."""


def _url(database: str) -> URL:
    variable = database.removeprefix("env:") if database.startswith("env:") else None
    written = os.environ.get(variable, "") if variable else database
    if not written:
        raise QueryFailed(f"environment variable {variable} is not set: it must hold the database's URL")
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):  # of a port that is no number
        place = f"environment variable {variable}" if variable else "recipients.database"
        # `from None`: what cannot be read as a URL is quoted whole, password and all.
        raise QueryFailed(
            f"{place} does not hold a database URL like postgresql://user:password@host/name") from None
    for secret in (url.password, url.query.get("password")):
        keep(secret if isinstance(secret, str) else "")
    return url
