"""Mailing some of a run's recipients again: only those, under a run of its own, and with open eyes where in doubt."""

import json

from outreach_stream.domain.states import RunState

from .relays import Relay
from .test_engines_in_trouble import addressed
from .test_orders import order


async def test_only_the_failed_are_mailed_again(system):
    """Those whom the relay refused, and nobody else; their run names its parent; asked for twice, it is one run."""
    running = await system()
    relay = await Relay(running, "moody").begin()
    people = addressed(running, 400, "moody")
    relay.mode("half")
    running.start()
    parent = await running.trigger()
    status = await running.completed(parent)
    failed = {entry["email"] for entry in running.log(status)["recipients"] if entry["status"] == "failed"}
    assert 100 < len(failed) < 300 and status.counts.failed == len(failed)

    relay.mode("normal")
    arguments = ("replay", parent, "--status", "failed,expired", "--json", "--yes")
    told = [json.loads(await order(running, *arguments)) for _ in range(2)]
    child = await running.completed(told[0]["run_id"])

    log = running.log(child)
    assert told[0]["run_id"] == told[1]["run_id"]
    assert child.parent == parent == log["run"]["parent"] and child.state is RunState.COMPLETED
    assert {entry["email"] for entry in log["recipients"]} == failed and child.counts.sent == len(failed)
    assert set(relay.mails()) == people and set(relay.mails().values()) == {1}
    relay.close()


async def test_those_in_doubt_are_held_until_a_person_says_otherwise(system):
    """Policy `hold`: a killed sender mails nobody twice; replayed, those in doubt are mailed once more, labelled."""
    running = await system(concurrency=50, latency_ms=30)
    people = running.people(2_000, extra="in_doubt: hold\n")
    running.start()
    run = await running.trigger()
    await running.until_sent(500)
    running.kill("sender")
    running.start("sender")
    status = await running.completed(run)

    entries = {entry["email"]: entry["status"] for entry in running.log(status)["recipients"]}
    mails = running.arrived().recipients()
    doubted = {email for email, end in entries.items() if end == "in_doubt"}
    assert entries.keys() == people and set(entries.values()) <= {"sent", "in_doubt"}
    assert set(mails.values()) == {1}, "nobody is mailed twice"
    assert 0 < len(doubted) <= 50 and status.counts.in_doubt == len(doubted)
    assert people - doubted == {email for email in mails if email not in doubted}

    told = await order(running, "replay", run, "--status", "in_doubt", "--resend-in-doubt", "--json", "--yes")
    child = await running.completed(json.loads(told)["run_id"])

    replayed = running.log(child)["recipients"]
    assert {entry["email"] for entry in replayed} == doubted and child.counts.sent == len(doubted)
    assert all(entry["possible_duplicate"] for entry in replayed)
    assert running.arrived().recipients().keys() == people
