"""An engine's caps over restarts, and an engine that is taken out of the catalog in mid-run."""

import asyncio

from outreach_stream.domain.states import RunState

from .relays import Relay
from .test_engines_in_trouble import addressed
from .test_orders import order


async def until_still(relay: Relay) -> None:
    """Wait until no mail has come for two seconds."""
    before = -1
    while before < (before := sum(relay.mails().values())):
        await asyncio.sleep(2)


async def test_an_hourly_cap_outlives_a_killed_sender(system):
    """No more mails than the cap, however often the sender starts anew; whoever is left waits, and can be cancelled."""
    running = await system()
    capped = await Relay(running, "capped").begin(engine="hourly: 160\n")
    people = addressed(running, 400, "capped")
    running.people(1, workflow=2, table="others")
    running.start()
    run = await running.trigger()
    await running.until(lambda: len(capped.mails()) > 40, 60, lambda: f"{len(capped.mails())} mails")
    for end in (running.kill, running.terminate):
        end("sender")
        running.start("sender")
        await running.completed(await running.trigger(2))   # by another engine: so the sender is at work again
        await until_still(capped)

    assert 40 < sum(capped.mails().values()) <= 160
    await order(running, "cancel", run)
    status = await running.completed(run)
    assert status.state is RunState.CANCELLED and status.counts.ended == len(people)
    assert status.counts.sent + status.counts.in_doubt >= len(capped.mails())
    capped.close()


async def test_an_engine_that_is_gone_has_stopped(system):
    """Taken out of the catalog while nobody works: by policy `fail` the rest fails, and says why."""
    running = await system()
    gone = await Relay(running, "gone").begin(engine="rate: 100\n")
    people = addressed(running, 600, "gone", "on_engine_stopped: fail\n")
    running.start()
    run = await running.trigger()
    await running.until(lambda: len(gone.mails()) > 100, 60, lambda: f"{len(gone.mails())} mails")
    running.terminate()
    for file in ("engines/gone.yaml", "workflows/1.yaml"):
        (running.catalog / file).unlink()
    running.start()
    status = await running.completed(run)

    entries = {entry["email"]: entry for entry in running.log(status)["recipients"]}
    failed = {email: entry["reason"] for email, entry in entries.items() if entry["status"] == "failed"}
    assert entries.keys() == people and gone.mails().keys() == people - failed.keys() and len(failed) > 100
    assert all("the catalog has no engine gone" in reason for reason in failed.values())
    gone.close()
