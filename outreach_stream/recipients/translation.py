"""What databases say, as failures of ours: translated once, without parameters, passwords or anybody's data."""

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from outreach_stream.recipients.failures import DatabaseUnavailable, QueryFailed, QueryTimeout, RecipientsFailed

FOREIGN = (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error, OverflowError,
           TypeError)
"""Errors that become ours. SQLAlchemy lets some of its drivers' through as they are: SQLite's of a number beyond 64
bits, PostgreSQL's of an option in its URL that it does not know."""

_QUERY_CANCELED = "57014"
_READ_ONLY = "25006"
_UNAVAILABLE = ("08", "53", "57P", "28")
"""Classes of SQLSTATE: no connection, no resources, shutting down, not let in."""
_DATA = "22"
"""The class of SQLSTATE whose messages may quote a value of a row."""

_SQLITE_MISSING = "unable to open database file"


def timed_out(seconds: float) -> QueryTimeout:
    """The failure of a query that took longer than `seconds`."""
    return QueryTimeout(f"the database took longer than {seconds:g} s: index the query, or raise recipients.timeout")


def translated(error: Exception, seconds: float) -> RecipientsFailed:
    """The failure that `error` of SQLAlchemy, a driver or the network means."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    message = str(cause).rpartition(">: ")[2].partition("\n")[0]  # SQLAlchemy puts the driver's class before it.
    state = getattr(cause, "sqlstate", None)
    if state:
        return _postgresql(state, message, seconds)
    if isinstance(cause, OSError):
        return DatabaseUnavailable(f"the database cannot be reached: {cause.strerror or type(cause).__name__}")
    if isinstance(error, DBAPIError | sqlite3.Error):
        return _sqlite(message, seconds)
    if isinstance(cause, OverflowError):
        return QueryFailed("a number does not fit the query: it has more than 64 bits")
    return QueryFailed(f"the query cannot be run: {type(cause).__name__}")


def _postgresql(state: str, message: str, seconds: float) -> RecipientsFailed:
    if state == _QUERY_CANCELED:
        return timed_out(seconds)
    if state == _READ_ONLY:
        return QueryFailed(f"the query may only read: {message}")
    if state.startswith(_UNAVAILABLE):
        return DatabaseUnavailable(f"the database cannot be used: {message}")
    if state.startswith(_DATA):
        return QueryFailed(f"a value does not fit the query (SQLSTATE {state})")
    return QueryFailed(f"the database refused the query: {message}")


def _sqlite(message: str, seconds: float) -> RecipientsFailed:
    if message == "interrupted":
        return timed_out(seconds)
    if "readonly database" in message:
        return QueryFailed("the query may only read")
    if message == _SQLITE_MISSING:
        return DatabaseUnavailable("the database file does not exist or cannot be opened")
    if "is locked" in message:
        return DatabaseUnavailable("the database is locked by a writer")
    return QueryFailed(f"the database refused the query: {message}")
