"""`outreach doctor`: what is broken is found and told, and one check hides nothing of the others."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.cli.doctor import CHECKS, door, examined, here, mail, running, scene_of, stream, verdict
from outreach_stream.cli.doctor.finding import Check, Found, Level, NotThere, Report, Scene, ok, problem, warning
from outreach_stream.cli.exits import Exit
from outreach_stream.domain.clock import iso
from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.engines.states import EngineState
from outreach_stream.settings import Settings
from outreach_stream.topics import DEAD_LETTER, RUN_STATUS
from tests.cli.conftest import Outreach
from tests.gateway.shop import shop

NOBODY = "127.0.0.1:9"


@pytest.fixture
def catalog(tmp_path: Path) -> FolderCatalog:
    """The shop, without the workflows that are there to fail."""
    found = shop(tmp_path / "shop")
    for name in ("away", "odd", "slow", "endless"):
        (tmp_path / "shop" / "workflows" / f"{name}.yaml").unlink()
    return found


def look(check: Callable[[Scene], Awaitable[list[Found]]], **settings: Any) -> list[Found]:
    async def looked() -> list[Found]:
        return await check(scene_of(Settings(**settings)))
    return asyncio.run(looked())


def levels(found: list[Found]) -> list[Level]:
    return [each.level for each in found]


def publish(bootstrap: str, topic: str, value: bytes, key: bytes | None = None, **more: Any) -> None:
    async def published() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
            await producer.send_and_wait(topic, value, key=key, **more)
    asyncio.run(published())


def test_everything_is_looked_at_at_once(
    inside: Outreach, catalog: FolderCatalog, kafka_topics: str,
) -> None:
    """On a real broker, with a catalog that is right: each check is told in its place, and none of these is wrong."""
    began = time.monotonic()
    answer = inside("doctor", "--json", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics, OUTREACH_GATEWAY_PORT="9",
                    OUTREACH_CATALOG=str(catalog.path))
    told = json.loads(answer.stdout)

    assert [each["name"] for each in told["checks"]] == [check.name for check in CHECKS]
    level = {each["name"]: each["level"] for each in told["checks"]}
    assert {level[name] for name in ("settings", "packages", "folders", "broker", "topics", "catalog", "databases")
            } == {"ok"}, answer.stdout
    assert (level["engines"], level["gateway"]) == ("warning", "warning"), "one in memory delivers nothing"
    assert answer.returncode == (1 if told["level"] == "problem" else 0)
    assert time.monotonic() - began < 20


def test_no_kafka_is_3_and_hides_nothing_else(inside: Outreach, catalog: FolderCatalog) -> None:
    """The Kafka that is named does not answer: code 3, the ways out, and what needs none is looked at all the same."""
    answer = inside("doctor", OUTREACH_KAFKA_BOOTSTRAP=NOBODY, OUTREACH_CATALOG=str(catalog.path))

    assert answer.returncode == 3
    assert "docker compose" in answer.stdout
    assert "– topics       not looked at: no Kafka answers" in answer.stdout  # noqa: RUF001 - a dash it is
    assert "✓ catalog" in answer.stdout
    assert "✓ databases" in answer.stdout


def test_a_kafka_that_does_not_let_us_in_is_told_once(catalog: FolderCatalog, unused_tcp_port: int) -> None:
    """What speaks another language than we do is a problem of the broker's check; others say why they do not look."""
    async def looked() -> list[Report]:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1_000)
            writer.write(b"\x15\x03\x01\x00\x02\x02\x0a")     # a TLS alert
            await writer.drain()
            writer.close()
        async with await asyncio.start_server(refuse, "127.0.0.1", unused_tcp_port):
            scene = scene_of(Settings(kafka_bootstrap=f"127.0.0.1:{unused_tcp_port}", catalog=catalog.path))
            return [report async for report in examined(scene, [each for each in CHECKS if each.name in wanted])]

    wanted = {"broker", "topics", "runs"}
    broker, topics, runs = asyncio.run(looked())

    assert broker.level is Level.PROBLEM
    assert "OUTREACH_KAFKA_SECURITY" in (broker.found[0].then or "")
    assert topics.level is runs.level is Level.UNKNOWN
    assert verdict([broker, topics]) is Exit.BROKER_AWAY


def test_an_embedded_kafka_that_is_not_running_is_a_warning(inside: Outreach, catalog: FolderCatalog) -> None:
    """It starts with whoever needs it: no problem, and it says what starts it."""
    answer = inside("doctor", OUTREACH_CATALOG=str(catalog.path))

    assert answer.returncode == 0, answer.stdout
    assert "! broker" in answer.stdout
    assert "`outreach worker all`" in answer.stdout


def test_a_catalog_with_mistakes_is_told_whole(inside: Outreach, catalog: FolderCatalog) -> None:
    """Each mistake is named, with its file, and what can be read is looked at all the same."""
    (catalog.path / "workflows" / "8.yaml").write_text(
        "template: nowhere\nengines: [relay, nobody]\nfrom: a@b.example\n")
    (catalog.path / "templates" / "hello.yaml").write_text("subject: '{{ name'\ntext: x\n")
    answer = inside("doctor", "--json", OUTREACH_CATALOG=str(catalog.path))
    checks = {each["name"]: each for each in json.loads(answer.stdout)["checks"]}

    assert answer.returncode == 1
    said = "\n".join(each["text"] for each in checks["catalog"]["findings"])
    assert all(word in said for word in ("8.yaml", "nowhere", "nobody", "hello.yaml"))
    assert "relay: settings:" in checks["engines"]["findings"][0]["text"]


def test_topics_of_another_layout_are_a_problem(kafka_topics: str) -> None:
    """A number of partitions that is not the settings' is named, with the way out."""
    found = look(stream.topics, kafka_bootstrap=kafka_topics, partitions_lanes=3)

    assert set(levels(found)) == {Level.PROBLEM}
    assert "send.requested" in found[0].text
    assert "OUTREACH_PARTITIONS_" in (found[-1].then or "")


def test_workers_are_told_by_role(kafka_topics: str) -> None:
    """Each role with how many work in it, as the broker knows them, and how much waits."""
    async def looked() -> list[Found]:
        async with AIOKafkaConsumer(RUN_STATUS.name, bootstrap_servers=kafka_topics, group_id="outreach-sender"):
            return await stream.workers(scene_of(Settings(kafka_bootstrap=kafka_topics)))

    found = asyncio.run(looked())

    assert [each.text.partition(":")[0] for each in found] == ["aggregator", "dispatcher", "sender"]
    assert "sender: 1 at work" in found[2].text


@pytest.mark.parametrize(("there", "waiting", "level"), [
    (2, 0, Level.OK), (1, 9, Level.OK), (0, 0, Level.WARNING), (0, 9, Level.PROBLEM)])
def test_work_that_waits_for_nobody_is_a_problem(there: int, waiting: int, level: Level) -> None:
    """Nobody at work is a warning while nothing waits; it says how to start one."""
    found = stream.worker("sender", there, waiting)

    assert found.level is level
    assert there or found.then == "outreach worker sender"


def test_the_newest_dead_letter_is_told(kafka_topics: str) -> None:
    """How many there are, and the reason of the newest, fit for a terminal."""
    headers = [("source_topic", b"run.event"), ("source_partition", b"0"), ("source_offset", b"7"),
               ("reason", b"no schema\x1b[31m")]
    publish(kafka_topics, DEAD_LETTER.name, b"?", headers=headers)

    (found,) = look(stream.dead_letters, kafka_bootstrap=kafka_topics)

    assert found.level is Level.WARNING
    assert "no schema\\x1b[31m" in found.text
    assert (found.then or "").startswith("outreach dead-letters show ")


COLLECTED = time.time()
"""The cases below are made when tests are collected, minutes before one is run."""


def status(state: RunState, minutes: float, **more: Any) -> RunStatus:
    said = iso(COLLECTED - minutes * 60)
    return RunStatus(run_id=str(uuid4()), workflow_id="7", state=state, source="test", updated_at=said,
                     states={RunState.QUEUED: said}, **more)


@pytest.mark.parametrize(("run", "level", "says"), [
    (status(RunState.QUEUED, 1), None, ""),
    (status(RunState.QUEUED, 5), Level.WARNING, "aggregator and a dispatcher"),
    (status(RunState.INITIALIZING, 5), None, ""),
    (status(RunState.SENDING, 45), Level.WARNING, "dispatcher and a sender"),
    (status(RunState.SENDING, 45, paused=True), None, ""),
    (status(RunState.SENDING, 1, engine="relay", engine_stopped="login"), Level.WARNING, "engine resume relay"),
    (status(RunState.SENDING, 1, deadline="2020-01-01T00:00:00Z"), Level.PROBLEM, "deadline"),
    (status(RunState.COMPLETED, 60, log="x.json"), None, ""),
    (status(RunState.COMPLETED, 60), Level.WARNING, "OUTREACH_OUTPUT"),
    (status(RunState.REFUSED, 60), None, ""),
])
def test_a_run_that_does_not_go_on_is_found(run: RunStatus, level: Level | None, says: str) -> None:
    """By its state, its silence and its deadline; who waits for good reason is left alone."""
    found = running.ailing(run, COLLECTED)

    assert (found and found.level) == level
    assert found is None or says in f"{found.text} {found.then}"


def test_a_stuck_run_and_a_fast_clock_are_seen_in_the_topic(kafka_topics: str) -> None:
    """What the workers said last is read from the real topic: one silent run, and one said to be of the future."""
    stuck = status(RunState.QUEUED, 90)
    future = status(RunState.SENDING, -60 * 24 * 365 * 900)
    for each in (stuck, future):
        publish(kafka_topics, RUN_STATUS.name, each.encode(), key=each.run_id.encode())

    async def looked() -> tuple[list[Found], list[Found]]:
        scene = scene_of(Settings(kafka_bootstrap=kafka_topics))
        return [found for each in await scene.newest() if (found := running.ailing(each, time.time()))
                ], await running.clock(scene)

    runs, clock = asyncio.run(looked())
    assert any(stuck.run_id in found.text for found in runs)
    assert levels(clock) == [Level.WARNING]


def test_a_stopped_engine_is_a_problem() -> None:
    """With who stopped it why, and the command that lets it go on."""
    bare = EngineState(id="relay", kind=None, rate=None, rate_by=None, hourly=None, daily=None)
    (found,) = running.stopped([bare.model_copy(update={"state": "stopped", "reason": "login", "since": "today"})])

    assert found == problem("relay is stopped since today because login",
                            "Mend what stopped it, then: outreach engine resume relay")
    assert levels(running.stopped([])) == [Level.OK]


@pytest.mark.parametrize(("query", "says"), [
    ("SELECT email, name FROM people", "'city'"),
    ("SELECT name, city FROM people", "no column email"),
    ("SELECT email FROM persons", "no such table"),
    ("DELETE FROM people RETURNING email, name, city", "may only read"),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT 1 AS email FROM n WHERE i < 0", "longer"),
])
def test_a_query_that_cannot_be_used_is_a_problem(
    catalog: FolderCatalog, query: str, says: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a run would fail of is found by the first rows: columns, tables, writing, and time."""
    monkeypatch.setattr(mail, "DATABASE_SECONDS", 0.5)
    file = catalog.path / "workflows" / "7.yaml"
    file.write_text(file.read_text().replace("SELECT * FROM people WHERE :town = '' OR city = :town", query))

    (found,) = look(mail.databases, catalog=catalog.path)

    assert found.level is Level.PROBLEM
    assert says in found.text


def test_parameters_come_from_defaults_and_schedules(catalog: FolderCatalog) -> None:
    """A query is tried with what a schedule gives it; one whose parameter nobody knows is only connected to."""
    it = catalog.load()
    assert mail.known_parameters(it, it.workflows["7"]) == {"discount": 10, "town": "Oslo"}
    for file in (catalog.path / "schedules").iterdir():
        file.unlink()
    (found,) = look(mail.databases, catalog=catalog.path)

    assert found.level is Level.OK
    assert "was not run" in found.text


def test_a_misspelt_setting_is_seen() -> None:
    """A variable that is nearly a setting is named, without its value; a catalog's own is left alone."""
    found = here.misspelt({"OUTREACH_KAFKA_BOOSTRAP": "secret:9092", "OUTREACH_DEMO_SMTP_PORT": "25", "PATH": "",
                           "OUTREACH_CATALOG": "x"})

    assert found == [warning("OUTREACH_KAFKA_BOOSTRAP is no setting, and is not read",
                             "Is OUTREACH_KAFKA_BOOTSTRAP meant?")]


def test_secrets_that_settings_name_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token's variable that is not set, a file of tokens that is none: each is told by the setting that names it."""
    monkeypatch.setenv("SHORT_KEY", "hunter2")
    (tmp_path / "tokens.yaml").write_text("- nothing\n")
    found = here.unresolved(Settings(
        catalog_token="env:NO_SUCH_TOKEN", gateway_tokens=tmp_path / "tokens.yaml",
        public_url="https://mail.example.com", unsubscribe_key="env:SHORT_KEY"))

    assert [each.text.partition(":")[0] for each in found] == [
        "OUTREACH_GATEWAY_TOKENS", "OUTREACH_UNSUBSCRIBE_KEY", "OUTREACH_CATALOG_TOKEN"]
    assert "hunter2" not in str(found)


def test_a_list_without_links_is_a_problem(catalog: FolderCatalog) -> None:
    """A workflow whose mails need an unsubscribe link is refused by the workers where none can be made."""
    file = catalog.path / "workflows" / "7.yaml"
    file.write_text(file.read_text() + "unsubscribe: news\n")

    (found,) = look(mail.catalog, catalog=catalog.path)

    assert found.level is Level.PROBLEM
    assert "OUTREACH_PUBLIC_URL" in found.text


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is there, one that will be made, a file in its place, and a full disk."""
    (tmp_path / "file").write_text("")

    assert here.folder("OUTREACH_OUTPUT", tmp_path).level is Level.OK
    assert "will be made" in here.folder("OUTREACH_OUTPUT", tmp_path / "a" / "b").text
    assert here.folder("OUTREACH_OUTPUT", tmp_path / "file").level is Level.PROBLEM
    monkeypatch.setattr(here, "TOO_LITTLE", 10**18)
    monkeypatch.setattr(here, "LITTLE", 10**18)
    assert here.folder("OUTREACH_OUTPUT", tmp_path).level is Level.PROBLEM
    assert list(tmp_path.iterdir()) == [tmp_path / "file"], "nothing is left behind"


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are always needed are looked for; those of extras are not."""
    assert here.required(["aiokafka==0.14.0", "sqlalchemy[asyncio]>=2", "pytest>=9; extra == 'dev'"]) == [
        "aiokafka", "sqlalchemy"]
    monkeypatch.setattr(here, "requires", lambda _: ["no-such-package>=1"])
    (found,) = look(here.packages)

    assert found.level is Level.PROBLEM
    assert "no-such-package" in found.text


@pytest.mark.parametrize(("status", "level"), [
    (200, Level.OK), (401, Level.OK), (503, Level.PROBLEM), (404, Level.WARNING)])
def test_what_a_gateway_answers(status: int, level: Level) -> None:
    """Whether it serves, whether Kafka is away for it, and whether it is one at all."""
    assert door.answered("http://127.0.0.1:8000", status).level is level


def test_a_gateway_is_asked_where_it_listens(unused_tcp_port: int) -> None:
    """Over a real connection; a clock that is another than ours is told by the answer's date."""
    async def looked() -> list[Found]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n")
            await writer.drain()
            writer.close()
        async with await asyncio.start_server(answer, "127.0.0.1", unused_tcp_port):
            return await door.gateway(scene_of(Settings(gateway_host="0.0.0.0", gateway_port=unused_tcp_port)))

    assert levels(asyncio.run(looked())) == [Level.OK, Level.WARNING]
    assert door.late("nonsense", datetime(2024, 1, 1, tzinfo=UTC).timestamp()) == []


def test_one_check_hides_nothing_of_the_others() -> None:
    """One that fails, one that hangs, and one that has nothing to look at are told in their places, in little time."""
    async def fine(_: Scene) -> list[Found]:
        return [ok("fine")]

    async def hangs(_: Scene) -> list[Found]:
        await asyncio.sleep(60)
        return []

    async def fails(_: Scene) -> list[Found]:
        raise ZeroDivisionError("password=hunter2")

    async def nothing(_: Scene) -> list[Found]:
        raise NotThere("not looked at")

    async def looked() -> list[Report]:
        checks = [Check("a", hangs, 0.2), Check("b", fails, 1), Check("c", nothing, 1), Check("d", fine, 1)]
        return [report async for report in examined(scene_of(Settings()), checks)]

    reports = asyncio.run(looked())

    assert [(each.check, each.level) for each in reports] == [
        ("a", Level.PROBLEM), ("b", Level.PROBLEM), ("c", Level.UNKNOWN), ("d", Level.OK)]
    assert "more than 0.2 s" in reports[0].found[0].text
    assert "hunter2" not in str(reports)


def test_the_exit_code_is_that_of_the_worst() -> None:
    """A warning is 0, a problem 1, a broker that is away 3."""
    def codes(*found: tuple[str, Found]) -> Exit:
        return verdict([Report(name, [each], 0) for name, each in found])

    assert codes(("a", ok("")), ("b", warning(""))) is Exit.OK
    assert codes(("a", ok("")), ("b", problem(""))) is Exit.FAILED
    assert codes(("broker", problem("")), ("b", problem(""))) is Exit.BROKER_AWAY
