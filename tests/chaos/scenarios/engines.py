"""Mail servers that misbehave, throttle, stop and are away."""

import asyncio

from outreach_stream.inbox.modes import Mode

from ..scenario import Stage, scenario
from ..verdict import Broken, Figures, check, check_whole, count

IMPATIENT = "timeouts: {connect: 2s, command: 1s, data: 4s}\n"
"""Less patience with the final dot, and a mail that is read slowly (`sip`) by a busy machine is in doubt, too."""
RETRY = "retry: {attempts: 7, within: 2m, first: 1s, longest: 1s}\n"

ENDS = {
    "sent": ("accept", "slow", "sip", "defer", "grey-0.5", "doubt-once"),
    # By the table at once, or after the attempts of a refusal that would not pass.
    "failed": ("refuse", "reject", "block", "busy", "drop", "shutdown", "shutdown-data", "shutdown-dot", "trickle"),
    # The final dot was written, and nobody can know.
    "in_doubt": ("doubt", "silence", "reset"),
}
"""Which end follows from what the server does to a recipient."""

UNANSWERED = {"doubt-once", "doubt", "silence"}
"""Received, and not answered: these may be mailed again."""


@scenario("SMTP server that fails in every way at once")
async def misbehaving(stage: Stage) -> Figures:
    """Refused, cut off, silent, slow, half-read: the ends of the table, duplicates labelled, and all of it in time."""
    running = await stage.system(latency_ms=0)
    names = [behaviour for behaviours in ENDS.values() for behaviour in behaviours] * int(stage.of(2, 20))
    people = running.people(len(names) + int(stage.of(60, 2_000)), extra=RETRY)
    named = running.content.rename(names)
    running.content.relay(concurrency=int(stage.of(10, 50)), extra=IMPATIENT)
    running.start()
    status = await running.completed(await running.trigger())
    everybody = named.keys() | {f"people{i}@example.com" for i in range(len(names), len(people))}
    figures = count(running, status, everybody, in_flight=sum(name in UNANSWERED for name in names))
    check(figures)
    ends = {entry["email"]: entry["status"] for entry in running.log(status)["recipients"]}
    wrong = {named.get(email, "accept"): end for email, end in ends.items()
             if named.get(email, "accept") not in ENDS[end]}
    if wrong:
        raise Broken(f"not as the table says: {wrong}", figures)
    return figures


@scenario("SMTP server that refuses connections for a minute, then 550s half")
async def away(stage: Stage) -> Figures:
    """While it is away nothing is used up; what it accepts and refuses then is what the log says."""
    running = await stage.system()
    people = running.people(int(stage.of(60, 1_000)), extra=RETRY)
    running.content.relay(concurrency=5, extra=IMPATIENT)
    running.mode(Mode.REFUSE_CONNECTIONS)
    running.start()
    run = await running.trigger()
    await running.until_state(run, "SENDING")
    await asyncio.sleep(stage.of(4, 60))
    assert running.received() == 0
    running.mode(Mode.HALF)
    status = await running.completed(run)
    figures = count(running, status, people, in_flight=0)
    check(figures)
    assert status.counts.sent == status.counts.failed == len(people) // 2
    assert {entry["attempts"] for entry in running.log(status)["recipients"]} == {1}, "away costs nobody an attempt"
    return figures


@scenario("an engine that stops: failover, and kill -9 of the sender")
async def failed_over(stage: Stage) -> Figures:
    """The rest goes out by the next engine, and nobody is mailed by both without a label."""
    running = await stage.system()
    running.workers.environment["CHAOS_PASSWORD"] = "secret"
    places, count_of = 20, int(stage.of(1_200, 9_000))
    limits = f"concurrency: {places}\nrate: {stage.of(300, 400)}\n"
    first = await stage.relay(running, "first", "--auth", "us:secret",
                              engine=limits + "username: us\npassword: env:CHAOS_PASSWORD\n")
    second = await stage.relay(running, "second", engine=limits)
    people = running.people(count_of, engines="first, second", extra="on_engine_stopped: failover\n")
    running.start()
    run = await running.trigger()
    begin, moved = stage.random.uniform(0.1, 0.4) * count_of, stage.random.uniform(0.05, 0.2) * count_of
    await running.until(lambda: sum(first.mails().values()) > begin, 60, lambda: f"{len(first.mails())} mails")
    first.mode(Mode.LOGIN_REFUSED)
    await running.until(lambda: sum(second.mails().values()) > moved, 60, lambda: "nothing at the second")
    running.kill("sender")
    running.start("sender")
    return check_whole(running, await running.completed(run), people, 2 * places, at=(first, second))


@scenario("an engine that throttles")
async def throttled(stage: Stage) -> Figures:
    """It takes 60 a second and says so to faster ones: everybody is mailed, once."""
    running = await stage.system()
    slow = await stage.relay(running, "slow", "--limit", "60", "--limit-wait", "1", engine="rate: 200\n")
    people = running.people(int(stage.of(200, 2_500)), engines="slow")
    running.start()
    return check_whole(running, await running.completed(await running.trigger()), people, in_flight=0, at=(slow,))
