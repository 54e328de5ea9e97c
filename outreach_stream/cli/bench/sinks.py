"""What receives the mails: Postfix's smtp-sink, which only counts, or our own, which knows recipients."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from outreach_stream.cli.bench.plan import Plan, SinkKind
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.supervisor import Program
from outreach_stream.inbox.light import Arrival, arrivals

CONNECTIONS = 1_000
"""That smtp-sink serves at a time; by default 256."""

OFTEN, SELDOM = 0.01, 0.2
"""Seconds between two looks at a sink: while the time of its first mail depends on it, and otherwise."""


class Received(NamedTuple):
    """What came in some time."""

    mails: int
    first: float
    last: float
    """When the first and the last of them came: seconds since the epoch."""
    recipients: Counter[str] | None
    """How many each got; None: the sink cannot tell."""


class Sink(Protocol):
    """One mail server, for the life of one process."""

    program: Program
    name: str
    """As a reader of results is told it."""

    def mark(self) -> None:
        """Whatever comes from now on is looked at."""

    def look(self) -> float:
        """Called while mails come; returns after how many seconds at most it wants to be called again.

        A sink that cannot tell times takes them here. Whoever looks takes processor time from what is measured.
        """

    def received(self) -> Received:
        """What came since the mark. Blocks."""


class InboxSink:
    """Ours: it notes each recipient, and when the mail came."""

    name = "inbox"

    def __init__(self, port: int, folder: Path, latency: float = 0.0) -> None:
        self.record = folder / "mails.txt"
        self.record.touch()
        self._mark = 0
        self.program = Program("sink", (
            sys.executable, "-m", "outreach_stream.inbox.light", "--port", str(port), "--record", str(self.record),
            "--latency-ms", str(latency)), output=folder / "sink.log")

    def mark(self) -> None:
        """See `Sink`."""
        self._mark = self.record.stat().st_size

    def look(self) -> float:
        """See `Sink`: nothing is needed."""
        return SELDOM

    def arrived(self) -> Iterator[Arrival]:
        """Each mail since the mark, as it came. Blocks."""
        return arrivals(self.record, self._mark)

    def received(self) -> Received:
        """See `Sink`."""
        counts: Counter[str] = Counter()
        first = last = 0.0
        for mail in self.arrived():
            counts[mail.recipient] += 1
            first, last = first or mail.at, mail.at
        return Received(counts.total(), first, last, counts)


class PostfixSink:
    """Postfix's: it prints how many mails it has had after each of them, and nothing about them."""

    name = "smtp-sink"

    def __init__(self, command: str, port: int, folder: Path) -> None:
        self._output = folder / "sink.log"
        self._output.touch()
        self._before, self._count, self._first, self._last = 0, 0, 0.0, 0.0
        # Started by root it wants to be told who to be.
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        self.program = Program("sink", (command, "-c", "-m", str(CONNECTIONS), *user, f"127.0.0.1:{port}", "1024"),
                               output=self._output)

    def mark(self) -> None:
        """See `Sink`."""
        self.look()
        self._before, self._first = self._count, 0.0

    def look(self) -> float:
        """See `Sink`: the first mail's time is that of a look, the last one's that of what was printed about it."""
        with self._output.open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - 256))
            count, printed = counted(output.read()), os.fstat(output.fileno()).st_mtime
        if count != self._count:
            self._count, self._last = count, printed
            self._first = self._first or self._last
        return SELDOM if self._first else OFTEN

    def received(self) -> Received:
        """See `Sink`."""
        self.look()
        return Received(self._count - self._before, self._first, self._last, None)


def counted(printed: bytes) -> int:
    """The last whole count of mails in what `smtp-sink -c` prints: `sess=0 quit=0 mesg=3`, each ended by a return."""
    last = printed.rpartition(b"\r")[0].rpartition(b"mesg=")[2]
    return int(last) if last.isdigit() else 0


def chosen(plan: Plan) -> SinkKind:
    """The sink that is asked for, if it can be had, and so. Raises `CommandError`."""
    command = postfix_sink()
    if plan.sink is SinkKind.AUTO:
        return SinkKind.POSTFIX if command and not plan.latency else SinkKind.INBOX
    if plan.sink is SinkKind.POSTFIX and not command:
        raise CommandError("Postfix's smtp-sink is not installed: leave --sink away, or say --sink inbox.", Exit.USAGE)
    if plan.sink is SinkKind.POSTFIX and plan.latency:
        raise CommandError("smtp-sink cannot be slow by milliseconds: for --latency say --sink inbox.", Exit.USAGE)
    return plan.sink


def sink_for(plan: Plan, port: int, folder: Path) -> Sink:
    """The sink that is asked for, on this port, with its files in `folder`. Raises `CommandError`."""
    if chosen(plan) is SinkKind.POSTFIX:
        return PostfixSink(postfix_sink() or "", port, folder)
    return InboxSink(port, folder, plan.latency)


def postfix_sink() -> str | None:
    """Where smtp-sink is: with system programs, which not everybody has in their path."""
    return shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
