"""Tables of the command line: for a person's terminal, or for a program behind a pipe."""

import sys

from rich.console import Console
from rich.table import Table

_PIPE_WIDTH = 160
"""Columns where there is no terminal: whatever reads a table wants a row on a line."""


def show_table(table: Table) -> None:
    """Print it, as wide as the terminal is."""
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
