"""Where an engine stands: from the catalog and from what is ordered."""

from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.memory import MemoryCatalog
from outreach_stream.cli.engine import rate, said
from outreach_stream.domain.control import Control, EngineFuse, EngineThrottle
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.gateway.engines.states import engine_state, engine_states, ordered_states
from tests.gateway.conftest import Open
from tests.gateway.records import ordered

RELAY = SmtpConfig(id="relay", kind="smtp", host="localhost", security="none", rate=50, hourly=1_000)


def control(fuse: EngineFuse | None = None, throttle: EngineThrottle | None = None) -> Control:
    told = Control()
    for matter, order in (("fuse", fuse), ("throttle", throttle)):
        if order:
            told.note(f"engine:relay:{matter}".encode(), order.encode())
    return told


def test_all_engines_of_the_catalog_are_there() -> None:
    """Those about which nothing is ordered are ok, with their limits."""
    other = RELAY.model_copy(update={"id": "another", "rate": None, "hourly": None, "daily": 5})
    states = engine_states(MemoryCatalog(engines=[RELAY, other]).load(), Control(), now=0.0)

    assert [(state.id, state.state, state.rate, state.hourly, state.daily) for state in states] == [
        ("another", "ok", None, None, 5), ("relay", "ok", 50, 1_000, None)]


class TalkativeConfig(SmtpConfig):
    """Of a kind whose provider says how fast it may be used, and that has something to warn of."""

    provider_tells_rate: ClassVar[bool] = True

    @property
    def warnings(self) -> tuple[str, ...]:
        return ("mind the gap",)


def test_who_limits_the_rate_is_told() -> None:
    """The catalog, if it says so; else the provider, where it does; else nobody."""
    talkative = TalkativeConfig(**dict(RELAY))
    unlimited = {"rate": None}
    states = [engine_state(engine, Control(), 0.0) for engine in (
        talkative, talkative.model_copy(update=unlimited), RELAY, RELAY.model_copy(update=unlimited))]

    assert [state.rate_by for state in states] == ["catalog", "provider", "catalog", None]
    assert [rate(state) for state in states] == ["50/s", "by the provider", "50/s", "unlimited"]


def test_warnings_are_told() -> None:
    """What should not be left so is seen wherever the engine is looked at."""
    assert engine_state(TalkativeConfig(**dict(RELAY)), Control(), 0.0).warnings == ("mind the gap",)


def test_a_throttled_engine_says_until_when_and_how_fast() -> None:
    """First it pauses, then it climbs back, then it is ok again: by itself."""
    told = control(throttle=EngineThrottle(until=1_000.0, factor=0.5, reason="slow down", at=990.0))
    paused, climbing, well = (engine_state(RELAY, told, now) for now in (995.0, 1_010.0, 2_000.0))

    assert said(paused) == ("throttled until 1970-01-01T00:16:40.000Z, then at 50% of its rate, and climbing "
                            "(slow down)")
    assert climbing.until is None
    assert 0.5 < (climbing.factor or 0) < 1
    assert said(well) == "ok"


def test_a_stopped_engine_says_since_when_why_and_by_whom() -> None:
    """The fuse is shown whatever throttle there is beside it."""
    state = engine_state(RELAY, control(EngineFuse(reason="bad key", at=10.0, by="cli"),
                                        EngineThrottle(until=1_000.0, factor=0.5, at=990.0)), now=995.0)

    assert said(state) == "stopped since 1970-01-01T00:00:10.000Z because bad key"
    assert state.by == "cli"


def test_without_a_catalog_what_is_ordered_is_known() -> None:
    """Those that are stopped or throttled, by id; of the others only whoever is asked for."""
    told = control(EngineFuse(reason="bad key", at=10.0, by="cli"))
    found = ordered_states(told, now=20.0, named=["other"])

    assert [(state.id, state.kind, state.state) for state in found] == [
        ("other", None, "ok"), ("relay", None, "stopped")]
    assert ordered_states(told, now=20.0, besides=["relay"]) == []
    assert rate(found[1]) == "?"


async def test_a_mistake_in_the_catalog_hides_no_state(gateway_at: Open, kafka_topics: str, tmp_path: Path) -> None:
    """The gateway goes on with the catalog it began with; one that began with a mistake tells what is ordered."""
    name = f"relay-{uuid4()}"
    file = tmp_path / "engines" / f"{name}.yaml"
    file.parent.mkdir()
    file.write_text("kind: smtp\nhost: localhost\nrate: 20\n", encoding="utf-8")
    fuse = EngineFuse(reason="burning", at=1.0, by="cli")
    await ordered(kafka_topics, (f"engine:{name}:fuse".encode(), fuse.encode()))
    told = []
    for _ in range(2):
        async with gateway_at(kafka_topics, FolderCatalog(tmp_path)) as client:
            file.write_text("kind: smtp\nhots: localhost\n", encoding="utf-8")
            engines = (await client.get("/api/v1/engines")).json()["engines"]
            told.append({each["id"]: each for each in engines}[name])

    assert [(each["state"], each["reason"], each["rate"]) for each in told] == [
        ("stopped", "burning", 20), ("stopped", "burning", None)]
