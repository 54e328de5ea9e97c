"""How soon one mail is there while a campaign goes on: express runs of one recipient beside a bulk run."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from outreach_stream.cli.bench.figures import Figures, percentile
from outreach_stream.cli.bench.rounds import Rounds
from outreach_stream.cli.bench.sinks import InboxSink
from outreach_stream.cli.bench.stage import BULK, COLUMNS, EXPRESS, person
from outreach_stream.cli.demo.stage import held_port
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.supervisor import outreach
from outreach_stream.domain.triggers import InlineRecipient
from outreach_stream.gateway.writer import BrokerAwayError
from outreach_stream.inbox.light import arrivals

ROUTES = ("kafka", "http")
"""Where a run is triggered: published to `workflow.triggered`, or asked of the gateway."""

AHEAD = 2
"""Bulk runs that are unfinished at any time, so that there is always a campaign to be behind."""

UNDER_WAY = 5.0
"""Seconds for which the bulk run has mailed before the first single mail is asked for."""

PATIENCE = 30.0
"""Seconds after the last trigger in which single mails may still arrive."""

STALL = 120.0
"""Seconds in which the gateway must answer, and the first bulk mail come."""


async def latency(rounds: Rounds) -> Figures:
    """Percentiles of the time from trigger to sink, by how it was triggered. Raises `CommandError`."""
    async with rounds.sink("latency") as (sink, workers):
        assert isinstance(sink, InboxSink), "the one that knows who got a mail and when"
        with held_port(0) as hold:
            port = int(hold.getsockname()[1])
            gateway = outreach("gateway", "gateway", "--host", "127.0.0.1", "--port", str(port),
                               env=rounds.stage.env(rounds.kafka.bootstrap),
                               output=workers[0].output and workers[0].output.with_name("gateway.log"))
            async with rounds.working([*workers, gateway]), \
                    httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
                await rounds.settle(sink)
                await _until(_answers(client), rounds, "the gateway does not answer")
                sink.mark()
                async with _campaign(rounds):
                    await _until(lambda: asyncio.to_thread(lambda: sink.received().mails > 0), rounds,
                                 "no bulk mail arrives")
                    rounds.console.print(f"A bulk run goes on. One mail a second each way, for "
                                         f"{rounds.plan.seconds:.0f} s …")
                    await asyncio.sleep(UNDER_WAY)
                    return await _probed(rounds, sink, client)


async def _probed(rounds: Rounds, sink: InboxSink, client: httpx.AsyncClient) -> Figures:
    sink.mark()
    began = time.time()
    asked = await _ask(rounds, client)
    bulk = await asyncio.to_thread(sink.received)
    seconds = time.time() - began
    waited = time.monotonic()
    while (found := await asyncio.to_thread(_arrived, sink, asked)).keys() != asked.keys():
        rounds.check()
        if time.monotonic() - waited > PATIENCE:
            break
        await asyncio.sleep(0.2)
    delays = {route: [1_000 * (found[each] - at) for each, at in asked.items()
                      if each.startswith(route) and each in found] for route in ROUTES}
    return {
        "measure": "latency", "seconds": round(seconds, 1), "bulk_rate": rounds.plan.rate or "unlimited",
        "bulk_per_s": round((bulk.mails - len(asked)) / seconds, 1), "senders": rounds.plan.senders,
        "concurrency": rounds.plan.concurrency, "sink": sink.name, "mails": len(asked),
        "lost": len(asked) - len(found),
        "latency_ms": {route: percentiles(values) for route, values in delays.items()},
        "latencies_ms": {route: [round(value, 1) for value in values] for route, values in delays.items()},
    }


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """What is told of them; None where there are none."""
    return {"p50": round(percentile(values, 0.5), 1), "p99": round(percentile(values, 0.99), 1),
            "max": round(max(values), 1)} if values else {"p50": None, "p99": None, "max": None}


async def _ask(rounds: Rounds, client: httpx.AsyncClient) -> dict[str, float]:
    """Trigger one run a second by each route, half a second apart; returns when which recipient's was asked for."""
    async def by_kafka(recipient: InlineRecipient) -> None:
        with suppress(BrokerAwayError):     # whoever gets no mail is counted as lost
            await rounds.runs.trigger(EXPRESS, [recipient])

    async def by_http(recipient: InlineRecipient) -> None:
        with suppress(httpx.HTTPError):
            await client.post("/api/v1/trigger", json={"workflow_id": EXPRESS, "recipients": [recipient.model_dump()]})

    asked: dict[str, float] = {}
    began = time.monotonic()
    async with asyncio.TaskGroup() as triggers:     # one that takes long keeps no other from being asked in time
        for number in range(rounds.plan.seconds):
            for half, (route, trigger) in enumerate(zip(ROUTES, (by_kafka, by_http), strict=True)):
                rounds.check()
                await asyncio.sleep(max(0.0, began + number + half / 2 - time.monotonic()))
                recipient = _recipient(f"{route}{number}@express.example.com")
                asked[recipient.email] = time.time()
                triggers.create_task(trigger(recipient))
    return asked


def _recipient(email: str) -> InlineRecipient:
    return InlineRecipient.model_validate(dict(zip(COLUMNS, person(0), strict=True)) | {"email": email})


def _arrived(sink: InboxSink, asked: Mapping[str, float]) -> dict[str, float]:
    """When those of these recipients got their mail who did."""
    return {mail.recipient: mail.at for mail in arrivals(sink.record) if mail.recipient in asked}


@asynccontextmanager
async def _campaign(rounds: Rounds) -> AsyncIterator[None]:
    """Bulk runs without a gap while the block lasts."""
    async def go_on() -> None:
        under_way = [await rounds.runs.trigger(BULK)]
        while True:
            under_way = [run for run in under_way if not run.ended]
            if len(under_way) < AHEAD:
                under_way.append(await rounds.runs.trigger(BULK))
            await asyncio.sleep(0.1)

    going = asyncio.create_task(go_on())
    try:
        yield
    finally:
        going.cancel()
        await asyncio.wait({going})


def _answers(client: httpx.AsyncClient) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        try:
            return (await client.get("/health/ready")).is_success
        except httpx.TransportError:
            return False
    return asked


async def _until(true: Callable[[], Awaitable[bool]], rounds: Rounds, late: str) -> None:
    began = time.monotonic()
    while not await true():
        rounds.check()
        if time.monotonic() - began > STALL:
            raise CommandError(f"The bench is given up: {late} in {STALL:.0f} s.")
        await asyncio.sleep(0.1)


def told(figures: Mapping[str, Any]) -> list[str]:
    """The result for people."""
    ways = {"kafka": "from publishing to workflow.triggered", "http": "from the HTTP call"}
    campaign = f"a bulk run of {figures['bulk_per_s']:,.0f} mails a second (rate: {figures['bulk_rate']})"
    lines = [f"Beside {campaign}, {figures['mails']:,} single mails, to the sink:"]
    for route, found in figures["latency_ms"].items():
        said = ", ".join(f"{name} {value:,.0f} ms" for name, value in found.items() if value is not None)
        lines.append(f"  {ways[route]}: {said or 'none arrived'}")
    return [*lines, f"Lost {figures['lost']:,}"]


def problems(figures: Mapping[str, Any]) -> list[str]:
    """What is not as it must be, however slow."""
    return [f"{figures['lost']:,} single mails have not arrived"] if figures["lost"] else []
