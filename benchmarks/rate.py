"""Is a rate kept, and is it used? What an engine's rate asks for, and what comes at the sink, second by second.

    python benchmarks/rate.py
    python benchmarks/rate.py --rate 500 --seconds 5 --senders 1,2,3 --warm-up 0

One run for each number of senders, of the mails and by the workers of `outreach bench`, through an engine with
`rate: RATE`, to a sink that notes the moment at which each mail's final dot came, to a microsecond, in order (it shares
the machine: what waits for a processor is noted late, so that windows look fuller than they were sent). Told are:

  delivered   mails a second in the steady part: all but the first second and the last, in which buckets fill and
              lanes end one by one; and by how much that differs from what was asked. Less than 1 % is as asked.
  most in 1 s the most that came in any window of one second, wherever it begins, from the first mail to the last.
              The promise is that it is never more than rate + burst (docs/guarantees.md); the burst is a tenth of
              the rate, as it is by default.
  lost, twice recipients without a mail, and mails beyond the first of one.

A machine that cannot send so fast is said to be too slow for it. Exit code 1: more came than may, or somebody got
nothing or two.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from typing import Any

from asking import answer, counts, parser, positive
from new_kafka import NewRounds, warm_rounds
from pace import EDGE, broken, pace, verdict

from outreach_stream.cli.bench.figures import lost_and_doubled
from outreach_stream.cli.bench.plan import Plan, SinkKind
from outreach_stream.cli.bench.sinks import InboxSink
from outreach_stream.cli.bench.stage import BULK
from outreach_stream.cli.bench.usage import cpu_seconds
from outreach_stream.cli.exits import CommandError
from outreach_stream.domain.lanes import default_burst

type Figures = dict[str, Any]


def plan_of(asked: argparse.Namespace, senders: int) -> Plan:
    """A run that lasts as long as is asked, beside its edges."""
    return Plan(round(asked.rate * (asked.seconds + 2 * EDGE)), senders=senders, concurrency=asked.concurrency,
                rate=asked.rate, sink=SinkKind.INBOX)


async def paced(new_rounds: NewRounds, plan: Plan) -> Figures:
    """One run, and how its mails came."""
    assert plan.rate
    async with new_rounds(plan) as rounds, rounds.sink("rate") as (sink, workers), rounds.working(workers):
        assert isinstance(sink, InboxSink), "the one that notes when each mail came"
        await rounds.settle(sink)
        rounds.console.print(f"{plan.recipients:,} recipients at {plan.rate:,.0f} a second, senders: {plan.senders} …")
        before = cpu_seconds(rounds.pids)
        followed, status = await rounds.mail(BULK, sink)
        after = cpu_seconds(rounds.pids)
        received = await rounds.arrived(sink, status.counts.sent)
        moments = sorted(mail.at for mail in sink.arrived())
    reached = len(received.recipients or ())
    lost, doubled = lost_and_doubled(status.counts.sent, plan.recipients, received.mails, reached)
    took = followed.ended - followed.began
    return {"senders": plan.senders, "recipients": plan.recipients, "state": status.state,
            **pace(moments, plan.rate, default_burst(plan.rate)), "lost": lost, "duplicates": doubled,
            "cores": {name: round((after[name] - before[name]) / took, 2) for name in before.keys() & after.keys()}}


async def measure(asked: argparse.Namespace) -> list[Figures]:
    async with warm_rounds(asked.warm_up) as new_rounds:
        return [await paced(new_rounds, plan_of(asked, senders)) for senders in asked.senders]


def table(rows: Iterable[Figures]) -> Iterable[str]:
    yield (f"{'senders':>7} {'asked/s':>8} {'delivered/s':>11} {'off':>8} {'each second':>15} {'most in 1 s':>11} "
           f"{'allowed':>8} {'lost':>5} {'twice':>5}")
    for row in rows:
        each = f"{row['slowest_second']:,} to {row['fastest_second']:,}"
        yield (f"{row['senders']:>7} {row['asked_per_s']:>8,.0f} {row['delivered_per_s']:>11,.1f} "
               f"{row['off_percent']:>+6.2f} % {each:>15} {row['most_in_a_second']:>11,} "
               f"{row['allowed_in_a_second']:>8,.0f} {row['lost']:>5,} {row['duplicates']:>5,}")
        yield f"        {verdict(row)}. Cores used: " + ", ".join(
            f"{name} {cores:.2f}" for name, cores in sorted(row["cores"].items()))


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rate", type=float, default=5_000.0, help="mails a second (default: 5000)")
    options.add_argument("--senders", type=counts, default=[1, 3], metavar="N,N",
                         help="sender processes, a run for each number (default: 1,3)")
    options.add_argument("--seconds", type=positive, default=20, help="of the steady part of each run (default: 20)")
    options.add_argument("--concurrency", type=positive, default=600, help="mails in work, of each (default: 600)")
    options.add_argument("--warm-up", type=int, default=100_000, help="recipients mailed before, without a rate, so "
                                                                      "that the broker is warm (default: 100000)")
    asked = options.parse_args()
    try:
        rows = asyncio.run(measure(asked))
    except (CommandError, ValueError) as error:
        sys.exit(f"rate.py: {error}")
    answer(asked, rows, lambda: table(rows))
    sys.exit(1 if any(map(broken, rows)) else 0)


if __name__ == "__main__":
    main()
