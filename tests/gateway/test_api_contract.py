"""Whatever its OpenAPI document allows is asked of the running gateway, and much that it does not."""

import asyncio
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as limited
from schemathesis.config import SchemathesisConfig

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.cli.demo.stage import example_catalog
from outreach_stream.gateway.api import build
from outreach_stream.gateway.door import access
from outreach_stream.gateway.door.tokens import SCOPES, Token, hashed, new_token, written
from outreach_stream.gateway.server import bound, serve
from outreach_stream.gateway.service import Gateway
from outreach_stream.settings import Settings

ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "503"]
"""Of what the schema allows. 422 as well: a schema cannot say all that is asked of addresses and times."""

CONFIG = SchemathesisConfig.from_dict({
    "seed": 1, "generation": {"max-examples": 5, "deterministic": True},
    "checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}})
SCHEMA = schemathesis.openapi.from_dict(
    build(Gateway("127.0.0.1:9", MemoryCatalog().current, Settings())).openapi(), config=CONFIG,
).exclude(path="/api/v1/events")    # it never ends
TOKEN = new_token()


pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module")     # schemathesis does


def catalog(folder: Path) -> FolderCatalog:
    """The example's, with people in its database."""
    shutil.copytree(example_catalog(), folder)
    with closing(sqlite3.connect(folder / "people.db")) as database:
        database.executescript((folder / "people.sql").read_text(encoding="utf-8"))
        database.execute("INSERT INTO people (email, city, unsubscribe_token) VALUES ('ann@example.com', 'Bonn', 'x')")
        database.commit()
    return FolderCatalog(folder)


@pytest.fixture(scope="module")
def url(kafka_topics: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with tokens, served by uvicorn in a thread, in front of the session's broker."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OUTREACH_DEMO_SMTP_PORT", "2525")
        patched.setattr(access, "MISTAKES", (100_000, 100_000))
        folder = tmp_path_factory.mktemp("gateway")
        file = folder / "tokens.yaml"
        file.write_text(written("all", Token(hash=hashed(TOKEN), scopes=list(SCOPES))), encoding="utf-8")
        settings = Settings(gateway_tokens=file, gateway_rate=100_000)
        listening, loop, stop = bound("127.0.0.1", 0), asyncio.new_event_loop(), asyncio.Event()
        gateway = Gateway(kafka_topics, catalog(folder / "catalog").current, settings)
        thread = threading.Thread(target=lambda: loop.run_until_complete(serve(build(gateway), listening, stop)))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@SCHEMA.parametrize()
@limited(deadline=None, suppress_health_check=list(HealthCheck))
def test_it_answers_as_it_is_documented(case: schemathesis.Case, url: str) -> None:
    """No answer is undocumented, has another form or type than documented, or is an error of ours."""
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)


ODD = [
    b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"workflow_id": 1' + b"0" * 5_000 + b"}",
    b'{"workflow_id": 1e400}', b'{"workflow_id": "\\u0000"}', b'{"workflow_id": "\\ud800"}',
    b'{"workflow_id": 1, "parameters": {"a": "\\ud800"}}', b'{"workflow_id": 1, "parameters": {"\\udfff": 1}}',
    b'{"workflow_id": 1, "parameters": {"a": NaN}}', b'{"workflow_id": 1, "parameters": {"a": -Infinity}}',
    b'{"workflow_id": 1, "parameters": {"a": 1' + b"0" * 4_000 + b"}}",
    b'{"workflow_id": 1, "parameters": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
    b'{"workflow_id": 1, "slot": "0001-01-01T00:00:00+14:00"}',
    b'{"workflow_id": 1, "slot": "9999-12-31T23:59:59-14:00"}',
    b'{"workflow_id": 1, "deadline": "0001-01-01T00:00:00+14:00"}', b'{"workflow_id": 1, "slot": 1e300}',
    b'{"workflow_id": 1, "idempotency_key": "\\ud800"}', b'{"workflow_id": 1, "idempotency_key": "\\r\\n"}',
    b'{"workflow_id": 1, "recipients": [{"email": "\\ud800@example.com"}]}',
    b'{"workflow_id": 1, "recipients": [{"email": "a@example.com", "x": {"\\ud800": []}}]}',
    b'{"workflow_id": 1, "workflow_id": 2}',
]
"""What no schema generates: JSON that Python reads and Kafka, pydantic or SQL do not write."""


@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_bodies_are_the_callers_mistake(url: str, body: bytes, dry: bool) -> None:
    """They are taken, or refused with a reason; never an error of ours."""
    body = body.replace(b"{", b'{"dry_run": true, ', 1) if dry else body
    answer = httpx.post(f"{url}/api/v1/trigger", content=body, headers={
        "Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}, timeout=20)

    assert answer.status_code in {200, 202, 400, 404, 413, 422}, answer.text
    assert answer.json()


@pytest.mark.parametrize("path", ["/api/v1/runs/%00", "/api/v1/runs/%ff", "/api/v1/runs/" + "a" * 5_000,
                                  "/api/v1/runs/%2e%2e%2f", "/api/v1/runs/\\", "/u/%F0%9F%92%8C",
                                  "/assets/..%2fapi.py"])
def test_odd_paths_are_the_callers_mistake(url: str, path: str) -> None:
    """Looked at and ordered alike."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answers = [httpx.get(url + path, headers=headers), httpx.post(f"{url}{path}/cancel", headers=headers)]

    assert {answer.status_code for answer in answers} <= {404, 405, 422}


@pytest.mark.parametrize("body", [
    b"Content-Length: 99999999999\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n" + 3 * (b"80000\r\n" + b"x" * 0x80000 + b"\r\n")])
def test_a_body_without_end_is_413_on_the_wire(url: str, body: bytes) -> None:
    """Before it is there: its beginning, or a number, is enough, and the connection is closed."""
    host, _, port = url.removeprefix("http://").partition(":")
    head = f"POST /api/v1/trigger HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def test_a_run_says_whose_token_started_it(url: str) -> None:
    """The token's name, beside that it came by the gateway."""
    with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20) as client:
        accepted = client.post(f"{url}/api/v1/trigger", json={"workflow_id": 1}).json()
        status = client.get(accepted["status_url"]).json()

    assert status["source"] == "gateway:all"
