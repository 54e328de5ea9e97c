"""Runs with secrets in everybody's hands and servers that quote them: grep over everything that comes out."""

import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack

import httpx
import pytest

from outreach_stream import topics
from tests.chaos.gateway import gateway
from tests.chaos.system import System

from .echoes import http_echo, smtp_echo
from .secrets_planted import PLANTED, leaks

PASTED = PLANTED["WRONG_PLACE"]
LOGIN = "kind: smtp\nhost: 127.0.0.1\nport: {}\nsecurity: none\nusername: us\npassword: env:SMTP_PASSWORD\n"
HTTP = "base_url: http://127.0.0.1:{}\n"
SES = ("kind: ses\nregion: eu-west-1\naccess_key_id: AKIAEXAMPLE\nsecret_access_key: env:SES_SECRET\n"
       "session_token: env:SES_TOKEN\n")
ENGINES = {
    "refused": (LOGIN, lambda: smtp_echo("PLAIN", let_in=False)),
    "talkative": (LOGIN, lambda: smtp_echo("PLAIN", let_in=True)),
    "sendgrid": (f"kind: sendgrid\napi_key: env:SENDGRID_KEY\n{HTTP}", lambda: http_echo(400)),
    "mailgun": (f"kind: mailgun\napi_key: env:MAILGUN_KEY\ndomain: mg.example.com\n{HTTP}", lambda: http_echo(401)),
    "ses": (f"{SES}{HTTP}", lambda: http_echo(403)),
}
WRONG = [
    ("POST", "/api/v1/trigger", {"workflow_id": 1, "api_key": PASTED}),
    ("POST", "/api/v1/trigger", {"workflow_id": [PASTED], "slot": PASTED, "priority": PASTED, "recipients": PASTED}),
    ("POST", "/api/v1/trigger", {"workflow_id": 1, "recipients": [{"address": PASTED, "password": PASTED}]}),
    ("POST", "/api/v1/trigger", PASTED),
    ("POST", "/api/v1/runs/none/replay", {"statuses": [PASTED]}),
]


@pytest.fixture
async def system(kafka_broker, tmp_path, planted):
    """One engine for each way of quoting, a workflow for each of them, and one whose database cannot be reached."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(System(tmp_path, kafka_broker.bootstrap))
        for place, (engine, (file, server)) in enumerate(ENGINES.items(), start=1):
            port = await stack.enter_async_context(server())
            (running.catalog / f"engines/{engine}.yaml").write_text(file.format(port))
            running.people(3, workflow=place, table=engine, engines=engine, extra="on_engine_stopped: fail\n")
        running.workers.environment["DATABASE_URL"] = f"mysql://us:{PLANTED['DATABASE_PASSWORD']}@127.0.0.1:9/people"
        first = (running.catalog / "workflows/1.yaml").read_text()
        (running.catalog / "workflows/90.yaml").write_text(
            first.replace("id: 1", "id: 90").replace("sqlite:///people.db", "env:DATABASE_URL"))
        running.start()
        yield running


async def test_nothing_that_comes_out_has_a_secret(system):
    """JSON logs, process logs, every record of every topic, the API's answers good and bad, what the commands print."""
    runs = [await system.trigger(workflow) for workflow in (*range(1, len(ENGINES) + 1), 90)]
    ended = [await system.completed(run) for run in runs]
    out = [(system.output / name).read_text() for name in sorted(system.output.rglob("*.json"))]
    assert len(out) == len(runs)
    assert [status.counts.failed for status in ended] == [3] * len(ENGINES) + [0]

    out += await _answers(system, runs)
    for command in (("engine", "status"), ("engine", "check"), ("watch", runs[0]), ("dead-letters", "list")):
        out.append(await _printed(system, *command))
    for topic in topics.FLOW:
        out += [value.decode(errors="replace") for value in await system.records(topic) if value]
    await asyncio.to_thread(system.terminate)
    out += [file.read_text() for file in system.folder.glob("*.log")]

    assert "(secret)" in "".join(out), "they did quote them"
    assert [leak for text in out for leak in leaks(text)] == []


async def _answers(system, runs):
    async with httpx.AsyncClient(base_url=await gateway(system), timeout=30) as client:
        while (await client.get(f"/api/v1/runs/{runs[-1]}")).status_code != 200:
            await asyncio.sleep(0.1)
        asked = [("GET", path, None) for path in ("/health", "/api/v1/engines", "/api/v1/runs",
                                                  *(f"/api/v1/runs/{run}" for run in runs))]
        answers = [await client.request(method, path, json=body) for method, path, body in (*asked, *WRONG)]
    assert {answer.status_code for answer in answers} == {200, 422}
    return [answer.text for answer in answers]


async def _printed(system, *command):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outreach_stream.cli", *command, env=system.workers.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()
