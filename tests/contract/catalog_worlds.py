"""Catalogs under contract: the same files in a folder, behind a real server, and as objects in memory."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import uvicorn
import yaml

from outreach_stream.catalog.api import build
from outreach_stream.catalog.files import absolute_database
from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.rest import RestCatalog
from outreach_stream.catalog.rest_client import CatalogApi
from outreach_stream.catalog.schedules import Schedule
from outreach_stream.catalog.snapshot import CatalogErrors
from outreach_stream.engines.registry import engine_from

type Files = dict[str, str | bytes]

GOOD: Files = {
    "engines/relay.yaml": "{kind: smtp, host: relay.example.com, rate: 5, username: u, password: 'env:RELAY_PASSWORD'}",
    "engines/rehearsal.yaml": "kind: memory",
    "templates/hello.yaml": "{subject: Hello, text: 'Hello {{ name }}'}",
    "workflows/7.yaml": "{template: hello, engines: [relay, rehearsal], from: Shop@shop.example.com, deadline: 1h30m, "
                        "parameters: {city: Bath}, recipients: {database: 'sqlite:///my people.db', query: SELECT 1}}",
    "workflows/inline.yaml": "{template: hello, engines: [relay], from: {email: a@shop.example.com, name: A}}",
    "schedules/daily.yaml": "{workflow: 7, cron: '0 9 * * *', timezone: Europe/Berlin, starts: 2026-03-01, "
                            "quiet: [{from: '22:00', to: '07:00', days: [SAT]}]}",
    "schedules/once.yaml": "{workflow: 7, at: 2026-12-24T18:00:00+01:00}",
}
"""A whole catalog, without what lies beside a template."""


class Socket:
    """A real server on a free port, for one app after the other: starting one for each test takes longer than it."""

    def __init__(self) -> None:
        self.app = None
        server = uvicorn.Server(uvicorn.Config(self._call, port=0, log_config=None, access_log=False, lifespan="off",
                                               interface="asgi3"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    async def _call(self, scope, receive, send):
        await self.app(scope, receive, send)


_socket = cache(Socket)


@contextmanager
def served(app) -> Iterator[str]:
    """The URL of `app`, while the block lasts."""
    assert _socket().app is None
    _socket().app = app
    try:
        yield _socket().url
    finally:
        _socket().app = None


class World:
    """Files, and the catalog made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changes = 0

    def write(self, files: Files) -> None:
        """Change these files; an empty one is removed."""
        for name, content in files.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if content:
                file.write_bytes(content.encode() if isinstance(content, str) else content)
            else:
                file.unlink()

    def look(self) -> None:
        """Have a change seen that would be seen a little later."""

    def close(self) -> None:
        """End what was begun."""


class FolderWorld(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.catalog = FolderCatalog(folder)


class MemoryWorld(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.catalog = MemoryCatalog()

    def write(self, files: Files) -> None:
        super().write(files)
        self.catalog.put(workflows=self._all("workflows", self._workflow),
                         templates=self._all("templates", Template.model_validate),
                         engines=self._all("engines", engine_from),
                         schedules=self._all("schedules", Schedule.model_validate))

    def _all(self, name, build):
        return [build({"id": file.stem} | yaml.safe_load(file.read_text())) for file in self.folder.glob(f"{name}/*")]

    def _workflow(self, data):
        if "recipients" in data:
            data["recipients"]["database"] = absolute_database(data["recipients"]["database"], self.folder)
        return Workflow.model_validate(data)


class RestWorld(World):
    """In pages of two."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server = served(build(folder, largest_page=2))
        self.catalog = RestCatalog(CatalogApi(self._server.__enter__()), every=3_600)

    def look(self) -> None:
        self.catalog.look()

    def close(self) -> None:
        self.catalog.close()
        self._server.__exit__(None, None, None)


WORLDS = {"folder": FolderWorld, "memory": MemoryWorld, "rest": RestWorld}


def problems(world: World) -> dict[tuple[str, str], str]:
    """What is wrong, by object (`engines/relay`, whatever is called its file) and field."""
    try:
        world.catalog.load()
    except CatalogErrors as errors:
        return {(_object(each.file), each.field): each.message for each in errors.problems}
    return {}


def _object(file: str) -> str:
    kind, _, name = file.removesuffix(".yaml").lstrip("/").replace(" ", "/").partition("/")
    return f"{kind.removesuffix('s')}/{name}"
