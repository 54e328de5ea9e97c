"""How many recipients a second, and at what cost: round by round, beside loops that only send."""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from time import process_time
from typing import Any, NamedTuple

from outreach_stream.cli.bench.figures import Figures, lost_and_doubled, summary
from outreach_stream.cli.bench.rounds import Rounds
from outreach_stream.cli.bench.sinks import Received, Sink
from outreach_stream.cli.bench.stage import BULK
from outreach_stream.cli.bench.usage import cpu_seconds, peak_mib, size
from outreach_stream.cli.supervisor import Program
from outreach_stream.cli.worker import ROLES


class _Used(NamedTuple):
    """The processor time of all processes so far."""

    cpu: Mapping[str, float]
    """Seconds, by process."""
    watching: float
    """Seconds of this process, which only watches."""


async def throughput(rounds: Rounds) -> Figures:
    """The figures of all rounds; each is told when it is known. Raises `CommandError`."""
    found = []
    for number in range(1, rounds.plan.repeat + 1):
        rounds.console.print(f"Round {number} of {rounds.plan.repeat}: {rounds.plan.recipients:,} recipients …")
        async with rounds.sink(f"round-{number}") as (sink, workers):
            async with rounds.working(workers):
                figures = await measured(rounds, sink, workers)
            found.append(figures | {"baselines": await rounds.baselines()})
    return {"measure": "throughput", **summary(found)}


async def measured(rounds: Rounds, sink: Sink, workers: Sequence[Program]) -> Figures:
    """The figures of one run of these workers, which are at work. Raises `CommandError`."""
    await rounds.settle(sink)
    folder = workers[0].output.parent  # type: ignore[union-attr]
    places = {"kafka": ([rounds.kafka.records] if rounds.kafka.records else [], ".log"),
              "state": ([folder / "state"], ""), "log": ([rounds.stage.output], "")}

    def disk() -> dict[str, int]:
        return {what: size(*place) for what, place in places.items() if place[0]}

    disk_before, before = await asyncio.to_thread(disk), _Used(cpu_seconds(rounds.pids), process_time())
    followed, status = await rounds.mail(BULK, sink)
    after, peaks = _Used(cpu_seconds(rounds.pids), process_time()), peak_mib(rounds.pids)
    disk_after = await asyncio.to_thread(disk)
    received = await rounds.arrived(sink, status.counts.sent)
    rounds.console.print(f"{_rate(received):,.0f} recipients a second")
    counts, wanted = status.counts, rounds.plan.recipients
    lost, doubled = lost_and_doubled(counts.sent, wanted, received.mails,
                                     None if received.recipients is None else len(received.recipients))
    return {
        "recipients": wanted, "state": status.state, "sent": counts.sent, "senders": rounds.plan.senders,
        "concurrency": rounds.plan.concurrency, "sink": sink.name, "sink_latency_ms": rounds.plan.latency,
        "cores": os.process_cpu_count() or 1,
        "recipients_per_s": round(_rate(received)), "seconds": round(followed.ended - followed.began, 3),
        "seconds_to_first_mail": round(received.first - followed.began, 3),
        "seconds_to_log": round(followed.logged - followed.began, 3),
        "cpu_us_per_recipient": _micros(before.cpu, after.cpu, wanted), "peak_mib": peaks,
        "watching_us_per_recipient": round((after.watching - before.watching) / wanted * 1e6, 1),
        "disk_bytes_per_recipient": {what: round((disk_after[what] - size_before) / wanted)
                                     for what, size_before in disk_before.items()},
        "lost": lost, "duplicates": doubled, "possible_duplicates": counts.possible_duplicates,
        "compared": "mails at the sink with the run's counts" if received.recipients is None else
                    "recipients at the sink with the database",
    }


def _rate(received: Received) -> float:
    """Mails a second, from the first to the last."""
    return received.mails / max(received.last - received.first, 0.001)


def _micros(before: Mapping[str, float], after: Mapping[str, float], recipients: int) -> Mapping[str, float]:
    """Microseconds of processor time for each recipient: of each role, of all roles together, of the others."""
    used: Counter[str] = Counter()
    for process in before.keys() & after.keys():
        used[process.partition("-")[0]] += after[process] - before[process]  # type: ignore[assignment]
    micros = {name: round(used[name] / recipients * 1e6, 1) for name in (*ROLES, "broker", "sink") if name in used}
    ours = {"outreach": round(sum(micros[role] for role in ROLES), 1)} if set(ROLES) <= micros.keys() else {}
    return ours | micros


def told(figures: Mapping[str, Any]) -> list[str]:
    """The result for people."""
    bare, cpu = figures["baselines"], figures["cpu_us_per_recipient"]
    rate = figures["recipients_per_s"]
    lines = [
        f"{rate:,.0f} recipients a second, first to last mail at the sink ({figures['sink']})"
        + _span(figures, "recipients_per_s"),
        *(f"  {rate / bare[f'{key}_per_s']:.2f} of {name}: {bare[f'{key}_per_s']:,.0f} a second, "
          f"{bare[f'{key}_cpu_us']:.0f} µs each" for key, name in LOOPS.items()),
        "Seconds from the trigger: " + ", ".join(f"{figures[name]:.2f} to {what}" for name, what in MOMENTS.items()),
        "CPU per recipient: " + (", ".join(f"{name} {micros:.0f} µs" for name, micros in cpu.items())
                                 or "not known here (it is read from /proc)"),
        "Peak memory: " + ", ".join(f"{name} {mib:.0f} MiB" for name, mib in figures["peak_mib"].items()),
        "On disk per recipient: " + ", ".join(f"{name} {count:,.0f} bytes" for name, count
                                              in figures["disk_bytes_per_recipient"].items()),
        f"Lost {figures['lost']:,}, mailed twice {figures['duplicates']:,} (compared: {figures['compared']})",
    ]
    if figures["rounds"] > 1:
        lines.append(f"Medians of {figures['rounds']} rounds; of lost and mailed twice the worst.")
    return lines


MOMENTS = {"seconds_to_first_mail": "the first mail", "seconds": "COMPLETED", "seconds_to_log": "the written log"}

LOOPS = {"aiosmtplib": "a bare aiosmtplib loop", "pipelined": "a bare pipelined loop",
         "coupled": "a bare pipelined and coupled loop"}
"""The baselines, by how their figures' names begin."""


def _span(figures: Mapping[str, Any], name: str) -> str:
    return f" ({figures['min'][name]:,.0f} to {figures['max'][name]:,.0f})" if "min" in figures else ""


def problems(figures: Mapping[str, Any]) -> list[str]:
    """What is not as it must be, whatever the speed."""
    found = [
        (figures["state"] != "COMPLETED", f"the run is {figures['state']}"),
        (figures["lost"] != 0, f"{figures['lost']:,} recipients got nothing"),
        (figures["duplicates"] > figures["possible_duplicates"],
         f"{figures['duplicates']:,} mails came twice, {figures['possible_duplicates']:,.0f} are marked so"),
    ]
    return [text for wrong, text in found if wrong]
