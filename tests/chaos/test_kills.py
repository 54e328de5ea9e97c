"""kill -9 of any worker in mid-run, and its restart."""

import pytest

from .system import PEOPLE, PLACES, ROLES, check_whole


@pytest.mark.parametrize("role", ROLES)
async def test_a_killed_worker_loses_nobody(system, role):
    """Every recipient ends, none is missing, and what is mailed twice was in flight at the kill and is labelled."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(PEOPLE)
    running.start()
    run = await running.trigger()
    await running.until_sent(PEOPLE // 4)

    running.kill(role)
    running.start(role)
    status = await running.completed(run)

    mails = check_whole(running, status, people, in_flight=PLACES)
    assert status.counts.sent == len(people)
    if role != "sender":
        assert set(mails.values()) == {1}, "only a sender's death can repeat a mail"


async def test_workers_killed_at_once_and_again(system):
    """The same when all of them are killed together, twice."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(PEOPLE)
    running.start()
    run = await running.trigger()
    for sent in (PEOPLE // 5, PEOPLE // 2):
        await running.until_sent(sent)
        for role in ROLES:
            running.kill(role)
        running.start()
    status = await running.completed(run)

    check_whole(running, status, people, in_flight=2 * PLACES)


async def test_a_deploy_repeats_nothing_and_leaves_no_doubt(system):
    """SIGTERM of every worker in mid-run, and a restart: no duplicate, and none that might be one."""
    running = await system(concurrency=PLACES, latency_ms=30)
    people = running.people(PEOPLE)
    running.start()
    run = await running.trigger()
    await running.until_sent(PEOPLE // 4)
    for role in ROLES:
        running.terminate(role)
    running.start()
    status = await running.completed(run)

    check_whole(running, status, people, in_flight=0)
    assert status.counts.possible_duplicates == 0
