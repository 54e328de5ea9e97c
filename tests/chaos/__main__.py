"""`make chaos RUNS=n SEED=s`: the table of scenarios in full size, a run for each seed, results in one file.

The seed alone says which scenario is played and what it does, so RUNS=1 SEED=17 plays run 17 of any earlier call again.
"""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog

from outreach_stream.settings import Settings
from tests.class_cache import class_cache

from . import scenarios  # noqa: F401 - registers them
from .results import Result, append, read, summary, table
from .scenario import FULL, SCENARIOS, SHORT, Scenario, play
from .verdict import Broken

TABLE = [each for each in SCENARIOS.values() if each.in_table]


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=len(TABLE), help="how many (default: each scenario once)")
    parser.add_argument("--seed", type=int, default=0, help="of the first run; the next has the next (default: 0)")
    parser.add_argument("--results", type=Path, default=Path("chaos-results.jsonl"), help="file that gets a line a run")
    parser.add_argument("--only", choices=list(SCENARIOS), metavar="NAME", help="this scenario with each seed")
    parser.add_argument("--short", action="store_true", help="the size of `make test`")
    return parser.parse_args()


async def run_all(asked: argparse.Namespace, cache_dir: Path) -> None:
    """One after the other; Ctrl-C or SIGTERM ends the run under way with everything it started."""
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, this.cancel)
    for i, seed in enumerate(range(asked.seed, asked.seed + asked.runs), start=1):
        chosen = SCENARIOS[asked.only] if asked.only else TABLE[seed % len(TABLE)]
        sys.stdout.write(f"[{i}/{asked.runs}] seed {seed}: {chosen.name} … ")
        sys.stdout.flush()
        result = await run_one(chosen, seed, SHORT if asked.short else FULL, cache_dir)
        append(asked.results, result)
        sys.stdout.write(f"{result}\n")


async def run_one(chosen: Scenario, seed: int, size, cache_dir: Path) -> Result:
    """Play it; what it leaves on disk is kept when it fails."""
    folder, began = Path(tempfile.mkdtemp(prefix="outreach-chaos-")), time.monotonic()
    reason, figures = "", {}
    try:
        figures = (await play(chosen, seed, size, folder, cache_dir)).as_dict()
    except TimeoutError:
        reason = f"not over within {chosen.limit:.0f} s"
    except Broken as broken:
        reason, figures = str(broken), broken.figures.as_dict()
    except Exception as error:  # noqa: BLE001 - whatever it was, the next run is played
        reason = f"{type(error).__name__}: {error}"
    finally:
        if reason:
            (folder / "reason.txt").write_text(reason)
            reason = f"{reason.splitlines()[0]} (see {folder})"
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return Result(seed, chosen.name, not reason, reason, round(time.monotonic() - began, 1), figures,
                  datetime.now(UTC).isoformat(timespec="seconds"))


def main() -> int:
    """Returns the exit code: whether everything in the file of results has passed."""
    asked, interrupted = arguments(), False
    # Of the trouble we make, only what comes of it is of interest.
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    cache_dir = Settings().cache_dir
    with class_cache(cache_dir):
        try:
            asyncio.run(run_all(asked, cache_dir))
        except asyncio.CancelledError:
            interrupted = True
    results = read(asked.results)
    sys.stdout.write(f"\n{table(results)}\n\n{summary(results)}\n")
    return 130 if interrupted else int(not all(result.passed for result in results))


if __name__ == "__main__":
    sys.exit(main())
