"""A catalog's API that can be told to misbehave, and remembers what it was asked and what it answered."""

import asyncio
from collections import Counter
from contextlib import contextmanager

from outreach_stream.catalog.api import build
from outreach_stream.catalog.rest import RestCatalog
from outreach_stream.catalog.rest_client import CatalogApi
from tests.contract.catalog_worlds import GOOD, FolderWorld, served


class Between:
    """Stands before an app: `answers` are given instead of the app's, one a request.

    A number is waited for first; a list comes in parts, slowly, and never ends.
    """

    def __init__(self, app) -> None:
        self._app = app
        self.answers: list[tuple[int, bytes] | list[bytes] | float] = []
        self.seen: list[tuple[str, int]] = []
        self.before = lambda _path: None

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = scope["path"] + ("?" + scope["query_string"].decode() if b"after" in scope["query_string"] else "")
        self.before(path)

        async def note(message):
            if message["type"] == "http.response.start":
                self.seen.append((path, message["status"]))
            await send(message)

        told = self.answers.pop(0) if self.answers else None
        if isinstance(told, float):
            await asyncio.sleep(told)
        if isinstance(told, list):
            await note({"type": "http.response.start", "status": 200, "headers": []})
            for part in told:
                await send({"type": "http.response.body", "body": part, "more_body": True})
                await asyncio.sleep(0.03)
            return None
        if isinstance(told, tuple):
            await note({"type": "http.response.start", "status": told[0], "headers": []})
            return await note({"type": "http.response.body", "body": told[1]})
        return await self._app(scope, receive, note)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(status for _, status in self.seen)


class Stage:
    """A folder, its API at `url`, and catalogs that read it."""

    def __init__(self, url: str, between: Between, world: FolderWorld) -> None:
        self.url, self.between, self.world = url, between, world
        self.pauses: list[float] = []
        self.opened: list[RestCatalog] = []

    def catalog(self, *, token=None, timeout=5.0, every=3_600.0, url="", **more) -> RestCatalog:
        api = CatalogApi(url or self.url, token, timeout=timeout, sleep=self.pauses.append)
        self.opened.append(RestCatalog(api, every=every, **more))
        return self.opened[-1]


@contextmanager
def stage(folder, *, app=None, files=GOOD, **api):
    world = FolderWorld(folder)
    world.write(files)
    between = Between(app or build(folder, **api))
    with served(between) as url:
        there = Stage(url, between, world)
        try:
            yield there
        finally:
            for catalog in there.opened:
                catalog.close()
