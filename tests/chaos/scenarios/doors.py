"""The doors by which runs come in: gateways and tickers, several of each, and callers who take no answer for a no."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from random import Random

import httpx

from outreach_stream.domain.identity import run_id

from ..gateway import gateway
from ..scenario import Stage, scenario
from ..system import System
from ..verdict import Broken, Figures

CLIENTS = 10
PAUSE = 0.25
"""Seconds between two calls of a client."""
ALL_PASSING = {202, 429, 503}
"""Every answer that a well-made call may get."""
SCHEDULE = "workflow: 1\nat: {at}\nmax_lateness: 5m\ncatch_up: all\n"


class Client:
    """Triggers runs of one recipient, each key at both gateways and until it was accepted twice: no answer is taken
    for a no, as by a service that never learnt whether its call came through."""

    def __init__(self, number: int, gateways: list[str], random: Random) -> None:
        self.number, self.gateways, self.random = number, gateways, random
        self.runs: dict[str, set[str]] = {}
        """Address of the recipient to the run ids that were answered."""
        self.codes: set[int] = set()

    async def call(self, until: float) -> None:
        """Begin new runs until then, and see each to its end."""
        async with httpx.AsyncClient(timeout=10) as http:
            count = 0
            while asyncio.get_running_loop().time() < until:
                await self._insist(http, f"client-{self.number}-{count}")
                count += 1

    async def _insist(self, http: httpx.AsyncClient, key: str) -> None:
        email, accepted = f"{key}@example.com", 0
        body = {"workflow_id": 1, "recipients": [{"email": email, "name": "Ada", "city": "Rome"}]}
        while accepted < 2:
            url = self.random.choice(self.gateways)
            try:
                answer = await http.post(f"{url}/api/v1/trigger", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                continue
            finally:
                await asyncio.sleep(PAUSE)
            self.codes.add(answer.status_code)
            if answer.status_code == 202:
                accepted += 1
                self.runs.setdefault(email, set()).add(answer.json()["run_id"])


def scheduled(system: System, count: int, every: float) -> list[str]:
    """Schedules of workflow 1, one occasion each, from three seconds on; returns the runs they must become."""
    folder, begin = system.catalog / "schedules", datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    folder.mkdir()
    slots = [begin + timedelta(seconds=n * every) for n in range(count)]
    for number, slot in enumerate(slots):
        (folder / f"slot-{number}.yaml").write_text(SCHEDULE.format(at=slot.isoformat()))
    return [run_id(1, slot=slot, key=None, trigger_id="") for slot in slots]


@scenario("two tickers, two gateways, ten clients, and a broker restart", limit=300)
async def doors(stage: Stage) -> Figures:
    """One run for each key and each slot, whoever asked how often; every accepted trigger becomes a run."""
    seconds = stage.of(8, 60)
    running = await stage.system(latency_ms=0)
    people = running.people(5)
    running.start()
    gateways = [await gateway(running, name) for name in ("gateway", "gateway-2")]
    slots = scheduled(running, int(stage.of(3, 12)), every=stage.of(2, 5))
    for name in ("ticker", "ticker-2"):
        running.workers.run(name, sys.executable, "-m", "outreach_stream.cli", "ticker")
    clients = [Client(number, gateways, Random(stage.random.random())) for number in range(CLIENTS)]
    until = asyncio.get_running_loop().time() + seconds
    calling = asyncio.gather(*(client.call(until) for client in clients))
    await asyncio.sleep(seconds * stage.random.uniform(0.3, 0.6))
    stage.only_broker.kill()
    await asyncio.sleep(stage.of(1, 5))
    await stage.only_broker.start()
    await calling
    return await _settled(running, clients, slots, people)


async def _settled(running: System, clients: list[Client], slots: list[str], people: set[str]) -> Figures:
    runs = {email: ids for client in clients for email, ids in client.runs.items()}
    for run in [*slots, *(next(iter(ids)) for ids in runs.values())]:
        await running.completed(run)
    mails = running.arrived().recipients()
    many = [email for email, ids in runs.items() if len(ids) > 1]
    figures = Figures(
        people=len(runs) + len(people), lost=len((runs.keys() | people) - mails.keys()),
        duplicates=sum(mails.get(email, 0) > 1 for email in runs) + sum(
            mails.get(email, 0) != len(slots) for email in people),
        silent=0, labelled=0, in_doubt=0, in_flight=0)
    if many or figures.lost or figures.duplicates:
        raise Broken(f"{len(many)} keys became several runs: {figures}", figures)
    answered = set().union(*(client.codes for client in clients))
    assert answered <= ALL_PASSING, answered
    return figures
