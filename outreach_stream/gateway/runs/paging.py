"""Cursors: where the next page begins, as a word that callers give back and do not take apart."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from math import isfinite
from typing import Literal, NamedTuple, Self

from fastapi.exceptions import RequestValidationError

Source = Literal["results", "log"]

_PLACE = re.compile(r"(results|log):([0-9]{1,18})")


class RunPlace(NamedTuple):
    """A place in the list of runs: when a run began, and its id."""

    began: float
    """Seconds since the epoch."""
    run: str

    @property
    def cursor(self) -> str:
        """The place as a cursor."""
        return _encoded(f"{self.began!r}:{self.run}")

    @classmethod
    def at(cls, cursor: str) -> Self:
        """The place that a cursor says. Raises `RequestValidationError`."""
        began, _, run = _decoded(cursor).partition(":")
        try:
            place = cls(float(began), run)
        except ValueError:
            raise bad_cursor() from None
        if not isfinite(place.began):
            raise bad_cursor()
        return place


class RecipientPlace(NamedTuple):
    """A place in what is known of a run's recipients."""

    source: Source
    offset: int
    """In the run's partition of `send.result`, or in bytes of its log."""

    @property
    def cursor(self) -> str:
        """The place as a cursor."""
        return _encoded(f"{self.source}:{self.offset}")

    @classmethod
    def at(cls, cursor: str) -> Self:
        """The place that a cursor says. Raises `RequestValidationError`."""
        if not (found := _PLACE.fullmatch(_decoded(cursor))):
            raise bad_cursor()
        return cls("log" if found[1] == "log" else "results", int(found[2]))


def bad_cursor() -> RequestValidationError:
    """What a request gets whose cursor is none, or none any more."""
    return RequestValidationError([{"type": "cursor", "loc": ("query", "cursor"),
                                    "msg": "No page begins here: take `next` of the page before, or begin anew"}])


def _encoded(place: str) -> str:
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        return urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
    except ValueError:      # not base64, not UTF-8, not ASCII
        raise bad_cursor() from None
