"""What is said by those parts that the run of a real system does not show: tickers, ports of several roles."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.models import RecipientQuery, Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.cli.ticker import State
from outreach_stream.cli.worker import ROLES, role_programs
from outreach_stream.domain.spread import Spread
from outreach_stream.engines.memory import MemoryConfig
from outreach_stream.scheduling.ticker import Ticker
from outreach_stream.telemetry.metrics import SECTIONS

START = datetime(2026, 3, 2, 8, 59, 58, tzinfo=UTC).timestamp()


def numbers(state: State) -> dict[str, Any]:
    return {reading.metric.name.removeprefix("outreach_"): reading.value for reading in state.readings()}


async def test_a_ticker_tells_its_slots_and_how_late_they_were() -> None:
    """Each that is in Kafka for sure, once; each try that failed; and it is ready when it has looked."""
    now, refused = START, [True]

    async def publish(_: object) -> None:
        await asyncio.sleep(0)
        if refused and now > START:
            refused.pop()
            raise TimeoutError

    catalog = MemoryCatalog()
    catalog.put(
        workflows=[Workflow(id="7", template="t", engines=("e",), sender="a@shop.example",
                            recipients=RecipientQuery(database="sqlite:///people.db", query="SELECT 1"))],
        templates=[Template(id="t", subject="s", text="x")], engines=[MemoryConfig(id="e", kind="memory")],
        schedules=[Schedule.model_validate({"id": "hourly", "workflow": "7", "cron": "0 * * * *",
                                            "max_lateness": "30m"})])
    state = State()
    before = [state.unready()]
    assert numbers(state) == {}
    ticker = state.ticker = Ticker(catalog.current, publish, lambda: now)
    state.publisher = SimpleNamespace(published=1)
    before.append(state.unready())
    for now in (START, START + 3, START + 5, START + 6):  # noqa: B007 - the clock reads it
        await ticker.look()
    said = numbers(state)

    assert before == ["Kafka is waited for", "the schedules have not been looked at yet"]
    assert state.unready() is None
    assert (said["schedules"], said["slots_triggered"], said["slots_not_triggered"]) == (1, 1, 1)
    lateness = said["slot_lateness_seconds"]
    assert isinstance(lateness, Spread)
    assert (lateness.count, lateness.total) == (1, 3.0)
    sections = SECTIONS["Tickers"] + SECTIONS["Tickers and the gateway"]
    assert said.keys() == {metric.name.removeprefix("outreach_") for metric in sections}


def test_each_role_of_one_command_has_a_port_of_its_own() -> None:
    """Counted from the one that is set, in the order of the roles; without one, none, whatever we inherited."""
    def ports(port: int, *roles: str) -> list[str]:
        return [program.env["OUTREACH_METRICS_PORT"]
                for program in role_programs(roles, {}, Path("state"), metrics_port=port)]

    assert ports(9464, *ROLES) == ["9464", "9465", "9466"]
    assert ports(9464, "dispatcher", "sender") == ["9464", "9465"]
    assert ports(0, *ROLES) == ["0", "0", "0"]
