"""People in two time zones: those whose time it is, and those who sleep for hours yet."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from outreach_stream.domain.identity import run_id

from .test_orders import order
from .verdict import check, check_whole, count

ZONE = "CASE WHEN rowid % 2 THEN 'Asia/Tokyo' ELSE 'America/Los_Angeles' END AS timezone"


@pytest.mark.long
async def test_whoever_waits_for_their_time_can_be_called_off_and_mailed_at_once(system):
    """Half the run is mailed, half waits, as its status says; cancelled they end, replayed they wait no more."""
    running = await system(concurrency=20)
    people = running.people(60, extra=f'local_time: "{datetime.now(ZoneInfo("Asia/Tokyo")):%H:%M}"\n')
    workflow = running.catalog / "workflows/1.yaml"
    workflow.write_text(workflow.read_text().replace("city FROM", f"city, {ZONE} FROM"))
    running.start()
    run = await running.trigger()
    await running.until_sent(30)
    await running.until(lambda: running.status(run).counts.sent == 30, 20, lambda: str(running.status(run)))
    waiting = running.status(run)
    await order(running, "cancel", run)
    status = await running.completed(run)

    assert (waiting.state, waiting.not_due, waiting.warnings) == ("SENDING", 30, [])
    assert (status.counts.sent, status.counts.cancelled, status.next_due) == (30, 30, None)
    check(count(running, status, people, in_flight=0))
    awake = set(running.arrived().recipients())
    assert awake == {f"people{n}@example.com" for n in range(0, 60, 2)}

    await order(running, "replay", run, "--status", "cancelled", "--wait", "--yes")
    replay = running.status(run_id(1, slot=None, key=f"replay:{run}:cancelled", trigger_id=""))
    check_whole(running, replay, people - awake, in_flight=0)
