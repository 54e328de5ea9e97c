"""The catalog as far as it can be read: a mistake in one file must not take the brakes from an operator."""

import sys
from typing import NamedTuple

from outreach_stream.catalog.snapshot import Catalog, UnknownEngine
from outreach_stream.catalog.source import catalog_at
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.settings import Settings

_TOLD = 5
"""Mistakes that are told; `outreach catalog check` tells all."""


class Readable(NamedTuple):
    """What is right in itself, and whether that is all there is."""

    catalog: Catalog
    whole: bool

    def check_engine(self, name: str, code: Exit = Exit.FAILED) -> None:
        """Raises `CommandError` for an engine that the catalog surely does not have."""
        try:
            self.catalog.engine(name)
        except UnknownEngine as error:
            if self.whole:
                raise CommandError(f"Unknown engine: {error}.", code) from error

    def warn_of_engine(self, name: str) -> None:
        """As `check_engine`; says so on stderr where nobody can tell whether there is such an engine."""
        self.check_engine(name)
        if name not in self.catalog.engines:
            print(f"Warning: engine {name} is not in what can be read of the catalog: the order is for that id all the "
                  "same, so mind its spelling.", file=sys.stderr)


def readable(settings: Settings) -> Readable:
    """Read the catalog, and say on stderr what of it cannot be used. Raises nothing for that. Blocks."""
    reading = catalog_at(settings).read()
    problems = sorted(reading.problems)
    if problems:
        more = len(problems) - _TOLD
        print("Warning: the catalog has mistakes; this goes by what can be read of it:",
              *(f"  {problem}" for problem in problems[:_TOLD]),
              *([f"  and {more} more: outreach catalog check"] if more > 0 else []), sep="\n", file=sys.stderr)
    return Readable(reading.catalog, not problems)
