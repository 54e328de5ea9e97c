"""What further senders bring: to a machine whose cores are the limit, and to a relay that takes its time.

    python benchmarks/scale.py
    python benchmarks/scale.py slow --slow-recipients 5000 --repeat 1 --warm-up 0

Runs of the mails and by the workers of `outreach bench`, in turn, so that a busy minute of the machine hits all alike;
medians of `--repeat` rounds are told, with the least and the greatest.

  fast  1 and 2 senders on the same run, to a sink that answers at once. With two cores for everything the second
        sender cannot bring much; it must not make it slower either.
  slow  1 to 4 senders, to a sink that takes 20 ms for a mail, each with 20 places: a sender can have no more than
        20 / 0.02 s = 1,000 mails a second accepted, and throughput has to grow with their number until the cores end
        it. `of the relay` says how much of that number was reached.

`--json` prints all figures of `outreach bench` for each row; `model.py` reads them.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from asking import answer, counts, parser, positive
from new_kafka import NewRounds, warm_rounds

from outreach_stream.cli.bench.figures import summary
from outreach_stream.cli.bench.plan import Plan, SinkKind
from outreach_stream.cli.bench.throughput import measured, problems
from outreach_stream.cli.exits import CommandError

PARTS = "fast", "slow"
type Figures = dict[str, Any]


async def once(new_rounds: NewRounds, plan: Plan) -> Figures:
    """The figures of one run by new processes. Raises `CommandError` if somebody was lost or mailed twice."""
    async with new_rounds(plan) as rounds, rounds.sink("scale") as (sink, workers), rounds.working(workers):
        rounds.console.print(f"{plan.recipients:,} recipients, senders: {plan.senders}, sink: {plan.latency:.0f} ms …")
        figures = await measured(rounds, sink, workers)
    if wrong := problems(figures):
        raise CommandError("\n".join(["It was not as it must be:", *(f"  {each}" for each in wrong)]))
    return figures


async def in_turn(new_rounds: NewRounds, plans: Iterable[Plan], repeat: int) -> list[Figures]:
    """A row for each plan."""
    found: dict[Plan, list[Figures]] = {plan: [] for plan in plans}
    for _ in range(repeat):
        for plan, figures in found.items():
            figures.append(await once(new_rounds, plan))
    return [summary(figures) for figures in found.values()]


def plans_of(asked: argparse.Namespace, part: str) -> Iterator[Plan]:
    """Those of one part, by their numbers of senders."""
    if part == "fast":
        for senders in asked.senders:
            yield Plan(asked.recipients, senders=senders, concurrency=asked.concurrency, sink=SinkKind.INBOX)
    else:
        for senders in asked.slow_senders:
            yield Plan(asked.slow_recipients, senders=senders, concurrency=asked.places, latency=asked.latency,
                       sink=SinkKind.INBOX)


async def measure(asked: argparse.Namespace) -> Figures:
    async with warm_rounds(asked.warm_up) as new_rounds:
        return {part: await in_turn(new_rounds, plans_of(asked, part), asked.repeat) for part in asked.parts or PARTS}


def table(part: str, rows: list[Mapping[str, Any]]) -> Iterator[str]:
    first = rows[0]
    sink = f"a sink that takes {first['sink_latency_ms']:.0f} ms" if part == "slow" else "a sink that answers at once"
    yield (f"{first['recipients']:,} recipients, {first['concurrency']} places a sender, {sink}, medians of "
           f"{first['rounds']}:")
    yield (f"{'senders':>7} {'recipients/s':>12} {'least to most':>17} {'of the first':>12} {'of the relay':>12}   "
           "CPU µs per recipient")
    for row in rows:
        least, most = (row.get(name, row)["recipients_per_s"] for name in ("min", "max"))
        most_there = row["senders"] * row["concurrency"] * 1e3 / row["sink_latency_ms"] if part == "slow" else None
        of_relay = f"{100 * row['recipients_per_s'] / most_there:.0f} %" if most_there else ""
        cpu = ", ".join(f"{name} {micros:.0f}" for name, micros in row["cpu_us_per_recipient"].items()
                        if name != "outreach")
        yield (f"{row['senders']:>7} {row['recipients_per_s']:>12,.0f} {f'{least:,.0f} to {most:,.0f}':>17} "
               f"{row['recipients_per_s'] / first['recipients_per_s']:>12.2f} {of_relay:>12}   {cpu}")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("parts", nargs="*", choices=PARTS, metavar="PART", help="fast, slow (default: both)")
    options.add_argument("--recipients", type=positive, default=100_000, help="of a fast run (default: 100000)")
    options.add_argument("--senders", type=counts, default=[1, 2], metavar="N,N", help="of fast runs (default: 1,2)")
    options.add_argument("--concurrency", type=positive, default=600, help="places in fast runs (default: 600)")
    options.add_argument("--slow-recipients", type=positive, default=20_000, help="of a slow run (default: 20000)")
    options.add_argument("--slow-senders", type=counts, default=[1, 2, 3, 4], metavar="N,N",
                         help="of slow runs (default: 1,2,3,4)")
    options.add_argument("--latency", type=float, default=20.0, help="milliseconds of the slow sink (default: 20)")
    options.add_argument("--places", type=positive, default=20, help="of a sender in slow runs (default: 20)")
    options.add_argument("--repeat", type=positive, default=3, help="rounds of each (default: 3)")
    options.add_argument("--warm-up", type=int, default=100_000,
                         help="recipients mailed before, so that the broker is warm (default: 100000)")
    asked = options.parse_args()
    try:
        figures = asyncio.run(measure(asked))
    except CommandError as error:
        sys.exit(f"scale.py: {error}")
    answer(asked, figures, lambda: [
        f"{os.process_cpu_count()} cores", *(line for part, rows in figures.items() for line in table(part, rows))])


if __name__ == "__main__":
    main()
