"""Gateways whose broker is away, and tokens for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.gateway.api import build
from outreach_stream.gateway.door.tokens import SCOPES, Token, hashed, new_token, written
from outreach_stream.gateway.service import Gateway
from outreach_stream.settings import Settings

NOBODY = "127.0.0.1:9"
"""No broker: none of this needs one."""


class Tokens:
    """A file with one token for each scope, named after it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.of = {scope: new_token() for scope in SCOPES}
        self.write()

    def write(self, **removed: object) -> None:
        self.file.write_text("".join(
            written(scope, Token(hash=hashed(token), scopes=[scope]))
            for scope, token in self.of.items() if scope not in removed) or "#\n", encoding="utf-8")

    def headers(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.of[scope]}"}


@asynccontextmanager
async def asking(base: str = "http://localhost:8000", **given: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with these settings, whose broker is away."""
    api = build(Gateway(NOBODY, MemoryCatalog().current, Settings(**given)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=base) as client:
        yield client
