"""Runs that go on, and all that is answered about their recipients."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.gateway.records import say, status
from tests.gateway.test_control_api import shown


def now(seconds: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def going(client: httpx.AsyncClient, bootstrap: str, **fields: Any) -> str:
    """A run that began now."""
    run = str(uuid4())
    await say(bootstrap, status(run, **{"began": now(), **fields}))
    await shown(client, run)
    return run


async def page(client: httpx.AsyncClient, run: str, **asked: Any) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/runs/{run}/recipients", params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def all_pages(client: httpx.AsyncClient, run: str, **asked: Any) -> tuple[list[dict[str, Any]], int]:
    """All recipients, and on how many pages they were."""
    found: list[dict[str, Any]] = []
    pages, cursor = 0, None
    while True:
        answer = await page(client, run, **asked, **({"cursor": cursor} if cursor else {}))
        found += answer["recipients"]
        pages, cursor = pages + 1, answer["next"]
        if cursor is None:
            return found, pages


def emails(found: list[dict[str, Any]]) -> list[str]:
    return [each["email"] for each in found]
