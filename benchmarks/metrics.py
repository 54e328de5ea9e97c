"""What metrics cost: counting, for each mail, and a scrape, for the event loop and for the thread that answers.

    python benchmarks/metrics.py [--engines 10] [--json]
"""

import statistics
import time
from collections.abc import Callable, Iterable

from asking import answer, parser, positive
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from outreach_stream.agents.readings import of_floor
from outreach_stream.delivery.desk import Allowance, Desk
from outreach_stream.delivery.work import Ends, Work
from outreach_stream.domain.outcomes import Accepted
from outreach_stream.engines.memory import MemoryEngine
from outreach_stream.telemetry.families import families

ROUNDS, MAILS, SCRAPES = 5, 200_000, 50
ACCEPTED = Accepted("id")


class StillFloor:
    """A floor of so many engines with nothing in its lanes: what `of_floor` reads."""

    def __init__(self, engines: int) -> None:
        self.ends = Ends()
        self.desks = {f"engine-{number}": Desk.of(f"engine-{number}", MemoryEngine(), Allowance(100.0, None, [0]),
                                                  concurrency=20, partitions=8) for number in range(engines)}

    def in_lanes(self, _engine: str) -> tuple[int, int]:
        return 0, 0


def count_one(work: Work, ends: Ends) -> None:
    """All that is done for one mail that goes out at the first attempt."""
    began = time.perf_counter()
    work.rendering.note(time.perf_counter() - began)
    work.handed_over(ACCEPTED, time.time() - time.time())
    ends.ended.update([("relay", "sent")])


def measured(work: Callable[[], object], times: int) -> float:
    """CPU seconds of one, median of the rounds."""
    def once() -> float:
        began = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - began) / times
    return statistics.median(once() for _ in range(ROUNDS))


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--engines", type=positive, default=10, help="of the sender that is scraped (default: 10)")
    asked = options.parse_args()
    floor, work, ends = StillFloor(asked.engines), Work(), Ends()

    class OfFloor(Collector):
        def collect(self) -> Iterable[Metric]:
            return families(of_floor(floor))

    row = {"counting_us_per_mail": round(measured(lambda: count_one(work, ends), MAILS) * 1e6, 2),
           "loop_ms_per_scrape": round(measured(lambda: list(of_floor(floor)), SCRAPES) * 1e3, 2),
           "all_ms_per_scrape": round(measured(lambda: generate_latest(OfFloor()), SCRAPES) * 1e3, 2)}
    answer(asked, row, lambda: [
        f"{row['counting_us_per_mail']} µs CPU to count one mail",
        (f"{asked.engines} engines: {row['all_ms_per_scrape']} ms CPU a scrape, "
        f"{row['loop_ms_per_scrape']} ms of them in the event loop")])


if __name__ == "__main__":
    main()
