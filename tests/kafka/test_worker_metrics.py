"""All roles as real processes: what they say of a run in numbers adds up to what became of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket

import httpx
import pytest

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.domain.states import Counts
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.telemetry.metrics import SECTIONS
from outreach_stream.topics import WORKFLOW_TRIGGERED
from tests.chaos.gateway import gateway
from tests.chaos.system import System
from tests.chaos.workers import ROLES
from tests.scraped import values

PEOPLE = 300
SAID_BY = {"sender": ("Workers and tickers", "Every worker", "Senders"),
           "dispatcher": ("Workers and tickers", "Every worker", "Dispatchers"),
           "aggregator": ("Workers and tickers", "Every worker", "Aggregators"),
           "gateway": ("Tickers and the gateway", "The gateway")}
"""The sections of the vocabulary that each process says."""


def free_port() -> int:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Watched:
    """A system whose workers are scraped."""

    def __init__(self, system: System, client: httpx.AsyncClient) -> None:
        self.system, self._client = system, client
        self.at: dict[str, str] = {}

    def start(self, role: str) -> None:
        port = free_port()
        self.system.workers.environment["OUTREACH_METRICS_PORT"] = str(port)
        self.system.start(role)
        self.at[role] = f"http://127.0.0.1:{port}"

    async def ask(self, role: str, path: str) -> httpx.Response | None:
        """None: nobody answers."""
        try:
            return await self._client.get(self.at[role] + path)
        except httpx.TransportError:
            return None

    async def until(self, role: str, path: str, code: int, seconds: float = 30) -> httpx.Response:
        async with asyncio.timeout(seconds):
            while (answer := await self.ask(role, path)) is None or answer.status_code != code:
                self.system.workers.check()
                await asyncio.sleep(0.05)
        return answer

    async def scrape(self, role: str) -> str:
        return (await self.until(role, "/metrics", 200)).text

    async def until_said(self, role: str, name: str, labels: tuple[str, ...], value: float) -> str:
        """The scrape in which the time series has the value."""
        text = ""
        try:
            async with asyncio.timeout(15):
                while values(text := await self.scrape(role), name).get(labels) != value:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{name}{labels} is {values(text, name)}") from None
        return text


@asynccontextmanager
async def watched(bootstrap: str, folder: Path, **options: object) -> AsyncIterator[Watched]:
    async with System(folder, bootstrap, **options) as system, httpx.AsyncClient(timeout=10) as client:
        yield Watched(system, client)


def names(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE outreach_")}


def expected(*sections: str) -> set[str]:
    """The names that these sections of the vocabulary expose."""
    return {metric.name + "_total" * (metric.kind == "counter")
            for section in ("Every process", *sections) for metric in SECTIONS[section]}


def check_sender(text: str, counts: Counts, received: int) -> None:
    ended = values(text, "outreach_recipients_ended_total")
    assert ended["relay", "sent"] == counts.sent == PEOPLE - 1 == received
    assert ended["relay", "failed"] == counts.failed == 1
    assert sum(ended.values()) == PEOPLE
    attempts = values(text, "outreach_attempts_total")
    assert attempts["relay", "accepted"] == PEOPLE - 1
    assert attempts["relay", "recipient_rejected"] == attempts["relay", "transient"] == 1
    assert values(text, "outreach_retries_total") == {("relay", "in_place"): 1, ("relay", "later"): 0}
    assert values(text, "outreach_hand_over_seconds_count") == {("relay",): sum(attempts.values())}
    assert values(text, "outreach_rendering_seconds_count") == {("relay",): PEOPLE}
    assert 0 < values(text, "outreach_rendering_seconds_sum")["relay",] < 10
    assert values(text, "outreach_records_taken_total")["send.requested",] == PEOPLE
    assert set(values(text, "outreach_lane_requests").values()) == {0}
    assert values(text, "outreach_worker_lag_records") == {("send.requested",): 0, ("send.requested.express",): 0}
    assert values(text, "outreach_partitions_assigned")["send.requested",] == 8
    assert values(text, "outreach_engine_rate") == {("relay",): 2_000}
    assert values(text, "outreach_engine_stopped") == {("relay",): 0}
    assert values(text, "outreach_lease_valid") == values(text, "outreach_ready") == {(): 1}


def check_dispatcher(text: str) -> None:
    assert values(text, "outreach_requests_expanded_total") == {("relay",): PEOPLE}
    assert values(text, "outreach_runs_planned_total")["planned",] == 1
    assert values(text, "outreach_runs_expanding") == {("relay",): 0}


def check_aggregator(text: str) -> None:
    assert values(text, "outreach_records_taken_total")["send.result",] == PEOPLE
    assert values(text, "outreach_dead_letters_total")["workflow.triggered",] == 1
    assert set(values(text, "outreach_runs").values()) == {0}


@pytest.mark.timeout(120)
async def test_metrics_add_up_to_what_became_of_a_run(kafka_broker: EmbeddedBroker, tmp_path: Path) -> None:
    """Every recipient counts once where it ended, every hand-over once, and nothing is left open or behind.

    Each process says all that the vocabulary says of its role. Two of 300 are refused and deferred.
    """
    folder = tmp_path / "system"
    folder.mkdir()
    async with watched(kafka_broker.bootstrap, folder, rate=2_000, concurrency=10) as around:
        system = around.system
        system.people(PEOPLE)
        system.content.rename(["refuse", "defer"])
        for role in ROLES:
            around.start(role)
        url = around.at["gateway"] = await gateway(system)
        await produce(system.producer, WORKFLOW_TRIGGERED.name, 0, [Record(None, b"no trigger")])

        async with httpx.AsyncClient(base_url=url) as client:
            accepted = (await client.post("/api/v1/trigger", json={"workflow_id": 1})).json()
        status = await system.completed(accepted["run_id"])
        for role in ROLES:
            assert (await around.ask(role, "/live")).status_code == 200
            assert (await around.ask(role, "/ready")).status_code == 200
        said = {
            "sender": await around.until_said("sender", "outreach_records_uncommitted", ("send.requested",), 0),
            "dispatcher": await around.scrape("dispatcher"),
            "aggregator": await around.until_said("aggregator", "outreach_runs_ended_total", ("COMPLETED",), 1),
            "gateway": await around.until_said("gateway", "outreach_members", ("sender",), 1)}

        check_sender(said["sender"], status.counts, system.received())
        check_dispatcher(said["dispatcher"])
        check_aggregator(said["aggregator"])
        assert values(said["gateway"], "outreach_members") == {(role,): 1 for role in ROLES}
        for role, text in said.items():
            assert names(text) == expected(*SAID_BY[role]), role
            assert "@" not in text
            assert accepted["run_id"] not in text
