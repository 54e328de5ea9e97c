"""A gateway process, and a caller who triggers one run after the other and keeps what was answered."""

import asyncio
import re
import sys
from collections import Counter

import httpx

from .system import System

MAILED = "accepted{}@example.com"


async def gateway(system: System, name: str = "gateway") -> str:
    """Start a gateway of the system's under `name`; returns its URL."""
    def url() -> str | None:
        found = re.search(r"http://127\.0\.0\.1:\d+", system.workers.log(name))
        return found and found[0]

    system.workers.run(name, sys.executable, "-m", "outreach_stream.cli", "gateway", "--port", "0")
    await system.until(lambda: url() is not None, 30, lambda: "the gateway does not listen")
    return url()


class Caller:
    """Triggers a run of one recipient again and again: `answers` by code, `accepted` are the run ids of each 202."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.answers: Counter[int] = Counter()
        self.accepted: dict[str, str] = {}
        """Run id to the address of its recipient."""

    async def __aenter__(self) -> "Caller":
        self._calling = asyncio.create_task(self._call(await gateway(self.system)))
        return self

    async def __aexit__(self, *_) -> None:
        """No more calls; the gateway runs on."""
        self._calling.cancel()
        await asyncio.wait([self._calling])

    async def _call(self, url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            for number in range(1_000_000):
                email = MAILED.format(number)
                answer = await client.post("/api/v1/trigger", json={
                    "workflow_id": 1, "key": f"call-{number}",
                    "recipients": [{"email": email, "name": "Ada", "city": "Rome"}]})
                self.answers[answer.status_code] += 1
                if answer.status_code == 202:
                    self.accepted[answer.json()["run_id"]] = email
                await asyncio.sleep(0.2)

    async def until_answered(self, code: int, seconds: float) -> None:
        """Wait for the next answer of this kind."""
        before = self.answers[code]
        await self.system.until(lambda: self.answers[code] > before, seconds, lambda: f"answers: {self.answers}")

    async def check(self) -> None:
        """All that was accepted is a run, and its recipient has the mail."""
        for run in self.accepted:
            status = await self.system.completed(run)
            assert status.counts.sent == 1, status
        assert set(self.accepted.values()) <= self.system.arrived().recipients().keys()
        assert set(self.answers) <= {202, 503}, self.answers
