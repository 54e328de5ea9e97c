"""Engines that throttle, stop and come back in mid-run: nobody is lost, nobody is mailed by two of them."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from outreach_stream.inbox.modes import Mode

from .relays import Relay
from .system import System
from .test_orders import order, still

LOGIN = ("--auth", "us:secret")
WITH_LOGIN = "username: us\npassword: env:CHAOS_PASSWORD\nconcurrency: 10\n"


@pytest.fixture
async def relays(system) -> AsyncIterator[tuple[System, Relay, Relay]]:
    """A system with two more relays: `first` asks for a login, and `second` does not."""
    running = await system()
    running.workers.environment["CHAOS_PASSWORD"] = "secret"
    first = await Relay(running, "first").begin(*LOGIN, engine=WITH_LOGIN + "rate: 300\n")
    second = await Relay(running, "second").begin(engine="rate: 300\n")
    yield running, first, second
    first.close()
    second.close()


def addressed(system: System, count: int, engines: str, extra: str = "") -> set[str]:
    """People whose workflow goes through these engines."""
    people = system.people(count, extra=extra)
    workflow = system.catalog / "workflows/1.yaml"
    workflow.write_text(workflow.read_text().replace("engines: [relay]", f"engines: [{engines}]"))
    return people


async def test_the_rest_goes_out_by_the_next_engine(relays):
    """The first engine's login is refused in mid-run, and a sender killed while recipients move: no one is missed."""
    running, first, second = relays
    people = addressed(running, 1_200, "first, second", "on_engine_stopped: failover\n")
    running.start()
    run = await running.trigger()
    await running.until(lambda: len(first.mails()) > 300, 60, lambda: f"{len(first.mails())} mails")

    first.mode(Mode.LOGIN_REFUSED)
    await running.until(lambda: len(second.mails()) > 100, 60, lambda: f"{len(second.mails())} mails at the second")
    running.kill("sender")
    running.start("sender")
    status = await running.completed(run)

    entries = {entry["email"]: entry for entry in running.log(status)["recipients"]}
    mails = Counter(first.mails()) + Counter(second.mails())
    assert entries.keys() == people and status.counts.ended == len(people)
    assert {entry["status"] for entry in entries.values()} <= {"sent", "in_doubt"}
    repeated = {email for email, count in mails.items() if count > 1}
    assert all(entries[email]["possible_duplicate"] for email in repeated) and len(repeated) <= 20
    assert {email for email, entry in entries.items() if entry["status"] == "sent"} == mails.keys()
    assert not first.mails().keys() & second.mails().keys() - repeated, "nobody got it from both, unlabelled"
    assert "first" in await order(running, "engine", "status")


async def test_recipients_wait_until_the_engine_is_resumed(relays):
    """Policy `wait`: nobody fails; a restart forgets nothing; resumed by the operator, everybody is mailed once."""
    running, first, _ = relays
    people = addressed(running, 600, "first")
    running.people(1, workflow=2, table="others")
    running.start()
    run = await running.trigger()
    await running.until(lambda: len(first.mails()) > 100, 60, lambda: f"{len(first.mails())} mails")

    first.mode(Mode.LOGIN_REFUSED)
    await running.until(lambda: bool((status := running.status(run)) and status.engine_stopped), 60,
                        lambda: f"{running.status(run)}")
    running.terminate()
    first.mode(Mode.NORMAL)
    running.start()
    before = len(first.mails())
    await running.completed(await running.trigger(2))   # by another engine: so everybody is at work again
    await still(running, 1)
    assert len(first.mails()) == before, "it waits for an operator"
    await order(running, "engine", "resume", "first")
    status = await running.completed(run)

    assert set(first.mails()) == people and set(first.mails().values()) == {1}
    assert status.counts.sent == len(people) and status.counts.possible_duplicates == 0


async def test_a_throttling_relay_is_obeyed_and_costs_nobody(system):
    """A relay that takes 60 a second and says so to faster ones: everybody is mailed, and the engine slows down."""
    running = await system()
    slow = await Relay(running, "slow").begin("--limit", "60", "--limit-wait", "1", engine="rate: 200\n")
    fast = await Relay(running, "fast").begin(engine="rate: 200\n")
    people = addressed(running, 250, "slow")
    others = running.people(500, workflow=2, table="others")
    workflow = running.catalog / "workflows/2.yaml"
    workflow.write_text(workflow.read_text().replace("engines: [relay]", "engines: [fast]"))
    running.start()
    run, beside = await running.trigger(1), await running.trigger(2)

    status, other = await running.completed(beside), await running.completed(run)

    assert set(fast.mails()) == others and set(fast.mails().values()) == {1}
    assert fast.moments()[-1] < slow.moments()[-1], "another engine keeps its speed, with twice as many"
    assert set(slow.mails()) == people and other.counts.sent == len(people) and status.counts.sent == len(others)
    assert slow.record.read_text().count("\n") == len(people)
    slow.close()
    fast.close()


async def test_the_deferred_do_not_slow_the_others(system):
    """One in twenty is greylisted for three seconds: the others go as ever, and those a little later."""
    running = await system(concurrency=20)
    people = running.people(1_100, extra="retry: {first: 2s, longest: 4s}\n")
    with sqlite3.connect(running.catalog / "people.db") as db:
        grey = [f"grey-3-{i}@example.com" for i in range(60)]
        db.executemany("INSERT INTO people VALUES (?, 'Grey', 'Gent')", [(email,) for email in grey])
        db.execute("CREATE TABLE shuffled AS SELECT * FROM people ORDER BY random()")
        db.execute("DROP TABLE people")
        db.execute("ALTER TABLE shuffled RENAME TO people")
    running.start()
    run = await running.trigger()
    await running.until_sent(300)
    running.kill("sender")
    running.start("sender")
    status = await running.completed(run)

    mails = running.arrived().recipients()
    assert mails.keys() == people | set(grey) and status.counts.sent == len(people) + len(grey)
    repeated = {email for email, count in mails.items() if count > 1}
    entries = {entry["email"]: entry for entry in running.log(status)["recipients"]}
    assert len(repeated) <= 20 and all(entries[email]["possible_duplicate"] for email in repeated)
    again = [email for email in grey if entries[email]["attempts"] >= 2]
    assert len(again) > len(grey) / 2, "they were tried again, but for those whose first attempt died with the sender"
