"""`outreach bench`: how fast it is on this machine, what it costs, and what bare loops do with the same mails."""

import asyncio
import json
import sys
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from outreach_stream.cli.bench import latency, throughput
from outreach_stream.cli.bench.figures import Figures
from outreach_stream.cli.bench.kafka import kafka_of_its_own
from outreach_stream.cli.bench.plan import Measure, Plan, SinkKind
from outreach_stream.cli.bench.plot import pictures, shares
from outreach_stream.cli.bench.rounds import Rounds
from outreach_stream.cli.bench.sinks import chosen
from outreach_stream.cli.bench.stage import Stage
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.signals import INTERRUPTED, on_stop
from outreach_stream.settings import Settings

BULK_RUN = 100_000
"""Recipients of each bulk run beside which latency is measured."""


def bench(
    *,
    measure: Annotated[Measure, typer.Argument(
        help="throughput: recipients a second, and what each costs. latency: how soon a single mail is there while a "
             "campaign goes on.")] = Measure.THROUGHPUT,
    recipients: Annotated[int, typer.Option(min=1, max=10_000_000, help="Recipients of the measured run.")] = 20_000,
    repeat: Annotated[int, typer.Option(min=1, max=100, help="Rounds, each with new processes; medians are told.")] = 1,
    warm_up: Annotated[int, typer.Option(
        min=0, max=10_000_000, help="Recipients mailed before anything is measured, in three minutes at most: a "
                                    "broker's JVM is slow at first.")] = 100_000,
    senders: Annotated[int, typer.Option(min=1, max=64, help="Sender processes.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, max=900, help="Mails in work at a time, of each sender.")] = 600,
    engine_rate: Annotated[float | None, typer.Option(
        min=0.1, help="Mails a second that the engine allows.", show_default="no limit")] = None,
    sink_latency: Annotated[float, typer.Option(
        "--latency", min=0, max=60_000, metavar="MS", help="Milliseconds that the sink takes for a mail.")] = 0,
    sink: Annotated[SinkKind, typer.Option(
        help="What receives: Postfix's smtp-sink where it is installed (auto), or our inbox, which knows who got "
             "what.")] = SinkKind.AUTO,
    seconds: Annotated[int, typer.Option(min=1, max=86_400, help="For latency: how long single mails are sent.")] = 300,
    bulk_rate: Annotated[str, typer.Option(help="For latency: the bulk run's mails a second, or unlimited.")] = "650",
    plot: Annotated[Path | None, typer.Option(help="Folder that gets pictures of the result (SVG).")] = None,
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object as the last line of standard output; all else goes to standard error.",
    )] = False,
) -> None:
    """Measure on this machine: recipients a second from trigger to sink, and what each costs.

    It starts Kafka (OUTREACH_KAFKA_BOOTSTRAP names another, where nobody may be at work), all roles and a mail server
    that takes everything over SMTP; warms the broker up; triggers a run of the example's mail, and reports recipients
    a second, processor time, memory and disk, and what loops of aiosmtplib and of bare SMTP do with the same messages.
    A named Kafka keeps the records of its runs; nothing else is left behind. Exit code 0: nobody was lost, nobody
    mailed twice.
    """
    settings, console = command(), Console(stderr=as_json, highlight=False, soft_wrap=True)
    plan = Plan(recipients, repeat, warm_up, senders, concurrency, engine_rate, sink_latency, sink)
    if measure is Measure.LATENCY:
        plan = Plan(BULK_RUN, 1, warm_up, senders, concurrency, _rate(bulk_rate), sink_latency, SinkKind.INBOX, seconds)
    chosen(plan)
    if plot:
        _folder(plot)
    sys.exit(asyncio.run(_interruptible(_Show(settings, console, plan), plot=plot, as_json=as_json)))


def _rate(given: str) -> float | None:
    """`650`, or `unlimited`; raises `CommandError`."""
    if given == "unlimited":
        return None
    with suppress(ValueError):
        if (rate := float(given)) > 0:
            return rate
    raise CommandError(f"--bulk-rate {given}: write a number of mails a second, or unlimited.", Exit.USAGE)


def _folder(plot: Path) -> None:
    try:
        plot.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--plot {plot}: {error.strerror}.", Exit.USAGE) from error


class _Show:
    """One bench, with everything it starts."""

    def __init__(self, settings: Settings, console: Console, plan: Plan) -> None:
        self.console, self._settings, self._plan = console, settings, plan
        self._rounds: Rounds | None = None

    async def figures(self) -> Figures:
        """Measure. Nothing is left of it afterwards, however it ends."""
        with TemporaryDirectory(prefix="outreach-bench-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            people = max(self._plan.recipients, self._plan.warm_up)
            self.console.print(f"Preparing up to {people:,} people, a catalog and Kafka …")
            with closing(await asyncio.to_thread(Stage, folder, self._plan)) as stage:
                async with kafka_of_its_own(self._settings, folder, self.console) as (kafka, runs):
                    self._rounds = Rounds(self._plan, stage, kafka, runs, self.console)
                    await self._rounds.warm_up()
                    return await (latency.latency if self._plan.seconds else throughput.throughput)(self._rounds)

    def kill(self) -> None:
        """End what is still ending, at once."""
        if self._rounds is not None:
            self._rounds.kill()


async def _interruptible(show: _Show, *, plot: Path | None, as_json: bool) -> int:
    """Measure and tell; a first Ctrl-C ends it in order, a second one kills what is still ending."""
    working = asyncio.create_task(show.figures())

    def stop() -> None:
        if not working.cancelling():
            show.console.print("\nStopping …")
            working.cancel()
        else:
            show.kill()

    on_stop(stop)
    try:
        figures = await working
    except asyncio.CancelledError:
        return INTERRUPTED
    kind = latency if figures["measure"] == Measure.LATENCY else throughput
    show.console.print("\n".join(kind.told(figures)), markup=False)
    if plot:
        _draw(plot, figures)
    if as_json:
        print(json.dumps(figures), flush=True)
    if problems := kind.problems(figures):
        raise CommandError("\n".join(["It was not as it must be:", *(f"  {each}" for each in problems)]))
    return Exit.OK


def _draw(folder: Path, figures: Figures) -> None:
    if figures["measure"] == Measure.LATENCY:
        ways = [("by Kafka", figures["latencies_ms"]["kafka"]), ("by HTTP", figures["latencies_ms"]["http"])]
        drawn = {"latency.svg": shares("From trigger to sink, beside a bulk run", ways)}
    else:
        drawn = pictures(figures, throughput.LOOPS)
    for name, picture in drawn.items():
        folder.joinpath(name).write_text(picture, encoding="utf-8")
