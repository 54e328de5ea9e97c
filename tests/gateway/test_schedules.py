"""`GET /api/v1/schedules`: when what is triggered next."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from outreach_stream.domain.identity import run_id
from outreach_stream.gateway.catalog.schedules import schedule_states
from tests.gateway.conftest import Open
from tests.gateway.shop import shop

NOBODY = "127.0.0.1:9"


def test_slots_are_told_in_utc_and_by_the_clocks_of_the_zone(tmp_path: Path) -> None:
    """Over the change of the clocks: nine in Berlin, due at the end of the quiet window, and the run it will be."""
    told = schedule_states(shop(tmp_path).load(), datetime(2026, 3, 27, 12, tzinfo=UTC), 2)
    (daily, off, over) = told.schedules

    assert daily.next == ["2026-03-28T09:00:00Z", "2026-03-29T08:00:00Z"]
    assert [each.slot for each in daily.slots] == ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"]
    assert [each.local for each in daily.slots] == ["2026-03-28T10:00:00+01:00", "2026-03-29T10:00:00+02:00"]
    assert daily.slots[0].run_id == run_id("7", slot=datetime(2026, 3, 28, 8, tzinfo=UTC), key=None, trigger_id="")
    assert (off.enabled, off.next) == (False, [])
    assert over.next == []


@pytest.fixture
async def answer(tmp_path: Path, gateway_at: Open) -> httpx.Response:
    async with gateway_at(NOBODY, shop(tmp_path)) as client:
        return await client.get("/api/v1/schedules", params={"n": 3})


async def test_schedules_are_told_without_a_broker(answer: httpx.Response) -> None:
    """The catalog says it, whether Kafka is there or not; as many slots as are asked for."""
    told = {each["id"]: each for each in answer.json()["schedules"]}

    assert answer.status_code == 200
    assert {name: len(each["next"]) for name, each in told.items()} == {"daily": 3, "off": 0, "over": 0}
    assert told["daily"]["quiet"][0]["from"].startswith("08:00")
    assert told["daily"] | {"workflow_id": "7", "cron": "0 9 * * *", "timezone": "Europe/Berlin"} == told["daily"]


async def test_more_slots_than_anybody_reads_are_refused(tmp_path: Path, gateway_at: Open) -> None:
    """A number of slots that would cost seconds is 422."""
    async with gateway_at(NOBODY, shop(tmp_path)) as client:
        assert (await client.get("/api/v1/schedules", params={"n": 101})).status_code == 422
