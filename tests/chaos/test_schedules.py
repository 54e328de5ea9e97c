"""Schedules over real processes: any number of tickers, killed in the middle of a slot, one run for each slot."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from outreach_stream.domain.identity import run_id

SCHEDULE = "workflow: 1\nat: {at}\nmax_lateness: 1m\ncatch_up: all\n"


async def test_two_tickers_and_a_kill_in_mid_slot_are_one_run_for_each_slot(system):
    """Three slots two seconds apart, one ticker killed right at the second and started again: nobody mailed twice."""
    running = await system()
    people = running.people(30)
    running.start()
    for role in ("aggregator", "dispatcher", "sender"):
        await running.working(role)
    slots = [datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4 + 2 * n) for n in range(3)]
    folder = running.catalog / "schedules"
    folder.mkdir()
    for number, slot in enumerate(slots):
        (folder / f"slot-{number}.yaml").write_text(SCHEDULE.format(at=slot.isoformat()))

    def tick(name: str) -> None:
        running.workers.run(name, sys.executable, "-m", "outreach_stream.cli", "ticker")

    tick("ticker")
    tick("ticker-2")
    await asyncio.sleep((slots[1] - datetime.now(UTC)).total_seconds() + 0.02)
    running.kill("ticker-2")
    tick("ticker-2")
    for slot in slots:
        status = await running.completed(run_id(1, slot=slot, key=None, trigger_id=""))
        assert status.counts.sent == len(people), status
    # The one that was started again has triggered the slots of a minute once more: they were the same runs.
    await running.until(lambda: running.workers.log("ticker-2").count("slot_triggered") >= len(slots), 20,
                        running.workers.tails)
    await asyncio.sleep(1.0)
    running.terminate("ticker", "ticker-2", grace=5.0)

    assert running.arrived().recipients() == dict.fromkeys(people, len(slots))
    log = running.log(status)
    assert datetime.fromisoformat(log["run"]["slot"]) == slots[-1]
    assert 0 <= log["run"]["lateness"] < 10


async def test_every_door_opens_once_for_each_key_and_slot(played):
    """Two tickers, two gateways and ten clients that repeat themselves, through a restart of the broker."""
    await played("two tickers, two gateways, ten clients, and a broker restart")
