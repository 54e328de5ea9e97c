"""What more cores, more brokers and more senders would give: a model of what `outreach bench` has measured.

    python benchmarks/model.py
    outreach bench --sink inbox --json > bench.json; python benchmarks/scale.py --json > scale.json
    python benchmarks/model.py bench.json scale.json

The files hold what `outreach bench --json` and `scale.py --json` print; without any the bench is run here. The costs
are those of the first measurement with a sink that answers at once: microseconds of processor time for each recipient,
of each role, the broker and the sink. `costs.py` has the model: a set-up does the least of what its cores, senders,
aggregators, dispatchers (and the sink, and the places at a slow relay) allow. Printed are

  1. what it says of each measurement in the files, beside what was measured. It supposes that nobody ever waits for
     another, so that less is reached: the median part (of those with a fast relay) is taken for other machines, too.
     With a slow relay a mail keeps its place while it is recorded as well: how long is fitted to the first such
     measurement, and tried on the others.
  2. what it says of 2, 4, 8 and 32 cores with 1 and 3 brokers, for one campaign and for as many at a time as there are
     partitions of runs; the least number of senders that does it; and what is in the way first. The mails are taken by
     a relay elsewhere there, not by a sink on the same cores.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from asking import answer, counts, parser, positive
from costs import ASSUMED, FOLLOWER_SHARE, REPLICAS, Costs, Setup, best, held_ms, predicted

from outreach_stream import topics

type Figures = dict[str, Any]


def measurements(value: object) -> Iterator[Figures]:
    """All results of throughput in what was printed, however they lie in it."""
    if isinstance(value, dict) and "cpu_us_per_recipient" in value and "recipients_per_s" in value:
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from measurements(each)


def bench(recipients: int, repeat: int) -> str:
    """What `outreach bench` prints here. It says on stderr how it gets on."""
    command = [sys.executable, "-m", "outreach_stream.cli", "bench", "--sink", "inbox", "--json", "--recipients",
               str(recipients), "--repeat", str(repeat)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def measured(asked: argparse.Namespace) -> list[Figures]:
    """What there is to go by. Raises ValueError if there is nothing to take the costs from."""
    texts = [path.read_text() for path in asked.files] or [bench(asked.recipients, asked.repeat)]
    found = [figures for text in texts for figures in measurements(json.loads(text.strip().rpartition("\n")[2]))]
    if all(figures["sink_latency_ms"] for figures in found):
        raise ValueError("no figures of `outreach bench --json` or `scale.py --json` with a sink that answers at once")
    return found


def record_ms(found: list[Figures]) -> float:
    """Milliseconds that a mail keeps its place beyond the relay's, fitted to the first measurement with a slow one."""
    slow = [figures for figures in found if figures["sink_latency_ms"]]
    return max(0.0, held_ms(slow[0]) - slow[0]["sink_latency_ms"]) if slow else 0.0


def checked(figures: Figures, costs: Costs, recording: float, asked: argparse.Namespace) -> Figures:
    """A measurement beside what the model says of it."""
    latency = figures["sink_latency_ms"]
    setup = Setup(figures["cores"], asked.lanes, sink_here=True, held_ms=latency and latency + recording,
                  places=figures["concurrency"])
    said = predicted(costs, setup, figures["senders"])
    return {"cores": setup.cores, "senders": said.senders, "sink_latency_ms": latency,
            "measured_per_s": figures["recipients_per_s"], "predicted_per_s": round(said.per_s),
            "off_percent": round(100 * (said.per_s / figures["recipients_per_s"] - 1), 1),
            "bottleneck": said.bottleneck}


def machines(costs: Costs, reached: float, asked: argparse.Namespace) -> Iterator[Figures]:
    """Rows of machines that are not here."""
    for campaigns in sorted({1, asked.partitions}):
        for cores in asked.cores:
            for brokers in asked.brokers:
                setup = Setup(cores, asked.lanes, asked.partitions, campaigns)
                said = best(costs.replicated(brokers, asked.follower_share), setup)
                yield {"campaigns": campaigns, "cores": cores, "brokers": brokers, "senders": said.senders,
                       "at_most_per_s": round(said.per_s), "expected_per_s": round(said.per_s * reached),
                       "bottleneck": said.bottleneck}


def model(found: list[Figures], asked: argparse.Namespace) -> Figures:
    """All that is printed. Raises KeyError if what costs are taken from has none of a role, the broker or the sink."""
    costs = Costs.of(next(figures for figures in found if not figures["sink_latency_ms"]))
    recording = record_ms(found)
    checks = [checked(figures, costs, recording, asked) for figures in found]
    reached = median(row["measured_per_s"] / row["predicted_per_s"] for row in checks if not row["sink_latency_ms"])
    return {"cpu_us_per_recipient": {name: getattr(costs, name) for name in Costs.__dataclass_fields__},
            "record_ms": round(recording, 1),
            "lanes": asked.lanes, "partitions": asked.partitions, "follower_share": asked.follower_share,
            "checks": checks, "reached": round(reached, 3), "machines": [*machines(costs, reached, asked)]}


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "µs per recipient: " + ", ".join(
        f"{name} {micros:.0f}" for name, micros in figures["cpu_us_per_recipient"].items())
    yield (f"{'cores':>5} {'senders':>7} {'relay ms':>8} {'measured/s':>10} {'model says':>10} {'off':>8}  "
           "first bottleneck")
    for row in figures["checks"]:
        yield (f"{row['cores']:>5} {row['senders']:>7} {row['sink_latency_ms']:>8.0f} {row['measured_per_s']:>10,.0f} "
               f"{row['predicted_per_s']:>10,.0f} {row['off_percent']:>+6.1f} %  {row['bottleneck']}")
    if figures["record_ms"]:
        yield f"With a slow relay a mail keeps its place for {figures['record_ms']:.1f} ms more, until it is recorded."
    yield f"Reached, median: {figures['reached']:.2f} of what the model says. Other machines:"
    yield (f"{'campaigns':>9} {'cores':>5} {'brokers':>7} {'senders':>7} {'at most/s':>10} {'expected/s':>10}  "
           "first bottleneck")
    for row in figures["machines"]:
        yield (f"{row['campaigns']:>9} {row['cores']:>5} {row['brokers']:>7} {row['senders']:>7} "
               f"{row['at_most_per_s']:>10,.0f} {row['expected_per_s']:>10,.0f}  {row['bottleneck']}")
    yield f"Assumed ({figures['lanes']} lanes, {figures['partitions']} partitions of runs and of engines):"
    for each in ASSUMED:
        yield f"  {each.format(share=figures['follower_share'], followers=REPLICAS - 1)}"


def main() -> None:
    layout = topics.Layout()
    options = parser(__doc__)
    options.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what was measured (default: measure now)")
    options.add_argument("--recipients", type=positive, default=100_000, help="if it is measured now (default: 100000)")
    options.add_argument("--repeat", type=positive, default=3, help="rounds, if it is measured now (default: 3)")
    options.add_argument("--cores", type=counts, default=[2, 4, 8, 32], metavar="N,N", help="(default: 2,4,8,32)")
    options.add_argument("--brokers", type=counts, default=[1, 3], metavar="N,N", help="(default: 1,3)")
    options.add_argument("--lanes", type=positive, default=layout.lanes, help=f"(default: {layout.lanes})")
    options.add_argument("--partitions", type=positive, default=layout.runs,
                         help=f"of the topics of runs and of engines (default: {layout.runs})")
    options.add_argument("--follower-share", type=float, default=FOLLOWER_SHARE, metavar="PART",
                         help="what a follower's copy costs of what a record costs a single broker; a guess "
                              f"(default: {FOLLOWER_SHARE})")
    asked = options.parse_args()
    try:
        figures = model(measured(asked), asked)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"model.py: nothing to go by: {error}")
    except KeyError as error:
        sys.exit(f"model.py: nothing to go by: the figures have no {error}")
    answer(asked, figures, lambda: lines(figures))


if __name__ == "__main__":
    main()
