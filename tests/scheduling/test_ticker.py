"""The ticker: each slot triggered when it is due, again when that failed, and the same by any number of tickers."""

import asyncio
from datetime import UTC, datetime

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.models import RecipientQuery, Template, Workflow
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.domain.identity import run_id
from outreach_stream.engines.memory import MemoryConfig
from outreach_stream.gateway.publisher import identified
from outreach_stream.scheduling.ticker import Ticker

START = datetime(2026, 3, 2, 8, 59, 58, tzinfo=UTC).timestamp()
WORKFLOW = Workflow(id="7", template="t", engines=("e",), sender="a@shop.example",
                    recipients=RecipientQuery(database="sqlite:///people.db", query="SELECT 1"))


class World:
    """Schedules, a clock that is set, and a broker that can be away."""

    def __init__(self, *schedules: Schedule) -> None:
        self.now, self.away, self.published = START, False, []
        self.catalog = MemoryCatalog()
        self.put(*schedules)

    def put(self, *schedules: Schedule) -> None:
        self.catalog.put(workflows=[WORKFLOW], templates=[Template(id="t", subject="s", text="x")],
                         engines=[MemoryConfig(id="e", kind="memory")], schedules=schedules)

    async def publish(self, trigger) -> None:
        if self.away:
            raise TimeoutError
        self.published.append(trigger)

    def ticker(self) -> Ticker:
        return Ticker(self.catalog.current, self.publish, lambda: self.now)

    def slots(self) -> list[str]:
        return [f"{trigger.slot:%H:%M}" for trigger in self.published]


def hourly(name="hourly", **fields) -> Schedule:
    return Schedule.model_validate({"id": name, "workflow": "7", "cron": "0 * * * *"} | fields)


async def test_a_slot_is_triggered_once_when_it_is_due():
    """Not before, not again, and with its slot, its source and its parameters."""
    world = World(hourly(max_lateness="30m"))
    ticker = world.ticker()
    for seconds in (0, 1, 2, 3, 60):
        world.now = START + seconds
        await ticker.look()
    assert world.slots() == ["09:00"]
    trigger = world.published[0]
    assert (trigger.workflow_id, trigger.source) == ("7", "schedule:hourly")
    assert trigger.trigger_id == "hourly@2026-03-02T09:00:00Z"


async def test_what_kafka_did_not_take_is_triggered_when_it_is_back():
    """No slot is lost while the broker is away, none of them is skipped by a later one."""
    world = World(hourly(catch_up="all", max_lateness="1d"))
    ticker = world.ticker()
    await ticker.look()
    before, world.away = len(world.published), True
    for hour in range(4):
        world.now = START + 3 + 3_600 * hour
        await ticker.look()
    assert len(world.published) == before
    world.away = False
    await ticker.look()
    assert world.slots()[before:] == ["09:00", "10:00", "11:00", "12:00"]


async def test_a_restarted_ticker_repeats_what_may_be_missing_under_the_same_run():
    """It remembers nothing: what is within max_lateness is triggered again, and is the same run."""
    world = World(hourly(catch_up="all", max_lateness="3h"))
    world.now = START + 10
    await world.ticker().look()
    first = list(world.published)
    assert world.slots() == ["07:00", "08:00", "09:00"]
    await world.ticker().look()
    runs = {identified(trigger)[1] for trigger in world.published}
    assert len(world.published) == 2 * len(first)
    assert runs == {run_id("7", slot=trigger.slot, key=None, trigger_id="") for trigger in first}
    assert len(runs) == len(first)


async def test_a_changed_schedule_begins_with_the_change():
    """Moving a schedule to an hour that has passed does not trigger it at once."""
    world = World(hourly())
    ticker = world.ticker()
    await ticker.look()
    world.published.clear()
    world.now = START + 1_800
    await ticker.look()
    world.published.clear()
    world.put(hourly(cron="15 * * * *"), hourly("new", cron="20 * * * *"))
    await ticker.look()
    assert world.published == []
    world.now += 3_600
    await ticker.look()
    assert world.slots() == ["10:15", "10:20"]


async def test_it_ends_when_it_is_told_to():
    """Within a moment, not at the next second."""
    world, stop = World(hourly()), asyncio.Event()
    running = asyncio.create_task(world.ticker().run(stop))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, 0.5)
