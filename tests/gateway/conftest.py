"""A gateway in this process, in front of a real broker."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.cli.demo.stage import example_catalog
from outreach_stream.gateway.api import build
from outreach_stream.gateway.service import Gateway
from outreach_stream.settings import Settings

type Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def open_gateway(
    bootstrap: str, catalog: MemoryCatalog | FolderCatalog | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(gateway_names=("gateway",))
    gateway = Gateway(bootstrap, (catalog or FolderCatalog(example_catalog())).current, settings)
    api = build(gateway)
    async with (gateway.running(api),
                httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://gateway") as client):
        yield client


@pytest.fixture
async def client(kafka_topics: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway in front of the session's broker."""
    monkeypatch.setenv("OUTREACH_DEMO_SMTP_PORT", "2525")
    async with open_gateway(kafka_topics) as client:
        yield client


@pytest.fixture
def gateway_at(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a gateway in front of a broker of the test's choice."""
    monkeypatch.setenv("OUTREACH_DEMO_SMTP_PORT", "2525")
    return open_gateway
