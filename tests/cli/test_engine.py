"""`outreach engine` against a real broker."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest

from outreach_stream.domain.control import EngineThrottle
from tests.cli.conftest import Outreach
from tests.gateway.records import ordered


@pytest.fixture
def engine(tmp_path: Path) -> str:
    """An engine of the test's own, in a catalog of its own."""
    name = f"relay-{uuid4()}"
    (tmp_path / "catalog" / "engines").mkdir(parents=True)
    (tmp_path / "catalog" / "engines" / f"{name}.yaml").write_text(
        "kind: smtp\nhost: localhost\nsecurity: none\nrate: 20\nhourly: 500\n", encoding="utf-8")
    return name


def test_an_engine_is_stopped_and_let_go_on(inside: Outreach, kafka_topics: str, engine: str) -> None:
    """Status says ok, stopped with reason, time and author, then ok; stopping twice keeps the first reason."""
    def call(*arguments: str) -> str:
        answer = inside("engine", *arguments, OUTREACH_CATALOG="catalog", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    (before,) = json.loads(call("status", "--json"))
    call("stop", engine, "--reason", "[maintenance]")
    assert "stopped already: [maintenance]" in call("stop", engine, "--reason", "another")
    shown = call("status", engine)
    (stopped,) = json.loads(call("status", engine, "--json"))
    call("resume", engine)

    assert (before["id"], before["state"], before["rate"], before["hourly"]) == (engine, "ok", 20, 500)
    assert "[maintenance]" in shown.replace("\n", "")
    assert (stopped["state"], stopped["reason"], stopped["by"]) == ("stopped", "[maintenance]", "cli")
    assert asyncio.run(ordered(kafka_topics)).fuse(engine) is None


def test_resuming_takes_back_a_throttle(inside: Outreach, kafka_topics: str, engine: str) -> None:
    """Whoever knows better than the provider need not wait it out."""
    throttle = EngineThrottle(until=4_000_000_000, factor=0.5, reason="slow down", at=1)
    asyncio.run(ordered(kafka_topics, (f"engine:{engine}:throttle".encode(), throttle.encode())))

    answer = inside("engine", "resume", engine, OUTREACH_CATALOG="catalog", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == 0, answer.stderr
    assert asyncio.run(ordered(kafka_topics)).throttle(engine) is None


@pytest.mark.parametrize(("arguments", "code", "says"), [
    (("status", "nonesuch"), 1, "there are: relay-"), (("stop", "nonesuch", "--reason", "x"), 1, "there are: relay-"),
    (("resume", "nonesuch"), 1, "there are: relay-"), (("resume", "ENGINE"), 1, "nothing to take back"),
    (("stop", "ENGINE"), 2, "--reason"),
])
def test_what_cannot_be_is_said(inside: Outreach, kafka_topics: str, engine: str,
                                arguments: tuple[str, ...], code: int, says: str) -> None:
    """An unknown engine is answered with those there are; an engine that nothing holds is not resumed."""
    answer = inside("engine", *(engine if each == "ENGINE" else each for each in arguments),
                      OUTREACH_CATALOG="catalog", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)

    assert answer.returncode == code
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_mistake_in_the_catalog_takes_nobody_the_brakes(inside: Outreach, kafka_topics: str, engine: str,
                                                          tmp_path: Path) -> None:
    """What can be read is used, with a warning; an engine whose own file is wrong is stopped and resumed by id."""
    broken = f"broken-{uuid4()}"
    (tmp_path / "catalog" / "engines" / f"{broken}.yaml").write_text("kind: smtp\nhots: localhost\n", encoding="utf-8")

    def call(*arguments: str) -> str:
        answer = inside("engine", *arguments, OUTREACH_CATALOG="catalog", OUTREACH_KAFKA_BOOTSTRAP=kafka_topics)
        assert answer.returncode == 0, answer.stderr
        assert f"engines/{broken}.yaml: hots" in answer.stderr
        return answer.stdout

    for name in (engine, broken):
        call("stop", name, "--reason", "burning")
    told = {each["id"]: each for each in json.loads(call("status", "--json"))}
    (alone,) = json.loads(call("status", broken, "--json"))
    for name in (engine, broken):
        call("resume", name)

    assert [(told[name]["state"], told[name]["kind"]) for name in (engine, broken)] == [
        ("stopped", "smtp"), ("stopped", None)]
    assert alone == told[broken]
    assert asyncio.run(ordered(kafka_topics)).fuse(broken) is None
