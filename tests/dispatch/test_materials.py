"""What plans are made of: the frozen spec, and the recipients of a database, a list and a suppression file."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outreach_stream.agents.materials import SpecMaterials
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.dispatch.ports import CannotPlan, ChunkGone
from outreach_stream.domain.events import RunRequested
from outreach_stream.domain.triggers import InlineRecipient, Replay
from outreach_stream.recipients.unsubscribed import Unsubscribed, suppression_key
from outreach_stream.recipients.unsubscribing import Links


class NoChunks:
    """No earlier run left anything."""

    async def read(self, run_id: str, offset: int) -> bytes:
        raise ChunkGone(f"{run_id}: {offset}")


NO_CHUNKS = NoChunks()


class Specs:
    """One spec in view."""

    def __init__(self, text: str, **workflow: object) -> None:
        self.spec = WorkflowSpec(
            workflow=Workflow.model_validate({"id": "w", "template": "t", "engines": ["relay"],
                                              "from": "us@example.org", **workflow}),
            template=Template(id="t", subject="Hello", text=text))
        self.asked = 0

    async def wait_for(self, key: bytes, timeout: float) -> bytes:  # noqa: ASYNC109
        self.asked += 1
        if key.decode() != self.spec.digest:
            raise TimeoutError
        return self.spec.model_dump_json().encode()

    def run(self, **changes: object) -> RunRequested:
        return RunRequested(**{
            "run_id": "run", "trigger_id": "t", "source": "s", "workflow_id": "w", "workflow_name": "W",
            "workflow_version": "1", "template_id": "t", "template_version": "1", "spec": self.spec.digest,
            "engine": "relay", "lanes": [0], "priority": "bulk", "body": "b", "triggered_at": 0, "admitted_at": 0,
            "deadline": 60, **changes})


async def everybody(specs: Specs, **changes: object) -> tuple[list[str], list]:
    """Columns and people of a run."""
    material = await SpecMaterials(specs, NO_CHUNKS).gather(specs.run(**changes))
    async with material.people() as people:
        return list(people.columns), [person async for page in people.pages for person in page]


async def test_the_query_says_who(tmp_path: Path) -> None:
    """Rows of the database with their variables, those who cannot be mailed with a reason."""
    with sqlite3.connect(tmp_path / "p.db") as database:
        database.execute("CREATE TABLE p (city TEXT, email TEXT, name TEXT)")
        database.executemany("INSERT INTO p VALUES (?, ?, ?)", [("Oslo", "a@example.org", "A"), ("Rome", "no", "B")])
    specs = Specs("{{ city }}", recipients={"database": f"sqlite:///{tmp_path / 'p.db'}",
                                            "query": "SELECT * FROM p WHERE city <> :without"})

    columns, people = await everybody(specs, parameters={"without": "Bonn"})

    assert columns == ["city"]
    assert people == [("a@example.org", "A", {"city": "Oslo"}), ("no", "invalid")]


async def test_who_has_left_the_workflows_list_is_left_out() -> None:
    """By its name, in any case of the address, also of an express run; without links to leave by there is no plan."""
    specs, lists, people = Specs("x", unsubscribe="news"), Unsubscribed(), [
        InlineRecipient(email=f"{n}@example.org") for n in "abc"]
    lists.note(suppression_key("news", "A@example.org"), b"{}")
    lists.note(suppression_key("offers", "b@example.org"), b"{}")
    materials = SpecMaterials(specs, NO_CHUNKS, Links("https://u.example", ["k" * 32]), lists)

    material = await materials.gather(specs.run(recipients=people))

    assert [decided[:2] for decided in await material.decide(people)] == [
        ("a@example.org", "unsubscribed"), ("b@example.org", ""), ("c@example.org", "")]
    with pytest.raises(CannotPlan, match="set OUTREACH_PUBLIC_URL and OUTREACH_UNSUBSCRIBE_KEY"):
        await SpecMaterials(specs, NO_CHUNKS).gather(specs.run())


async def test_an_inline_list_has_one_set_of_columns() -> None:
    """Who does not bring a variable has the run's parameter in its place, or nothing."""
    people = [InlineRecipient(email="a@example.org", code=1), InlineRecipient(email="b@example.org", city="Rome")]

    columns, found = await everybody(Specs("x"), recipients=people, parameters={"city": "Oslo"})

    assert columns == ["city", "code"]
    assert [person[2] for person in found] == [{"city": "Oslo", "code": 1}, {"city": "Rome", "code": None}]


async def test_suppressed_addresses_are_left_out_also_after_the_file_changed(tmp_path: Path) -> None:
    """The list is read again when it has changed, and only then."""
    file = tmp_path / "stop.txt"
    file.write_text("a@example.org\n")
    specs = Specs("x", suppression={"file": str(file)})
    materials, people = SpecMaterials(specs, NO_CHUNKS), [InlineRecipient(email=f"{n}@example.org") for n in "ab"]
    first = await (await materials.gather(specs.run(recipients=people))).decide(people)
    file.write_text("a@example.org\nb@example.org\n")
    second = await (await materials.gather(specs.run(recipients=people))).decide(people)

    assert [decision[1:] for decision in first] == [("suppressed",), ("", {})]
    assert [decision[1] for decision in second] == ["suppressed", "suppressed"]
    assert specs.asked == 1


@pytest.mark.parametrize(("specs", "changes", "words"), [
    (Specs("x"), {}, "no query"),
    (Specs("{{ oh" ), {}, "template t, text"),
    (Specs("x"), {"spec": "other"}, "not to be found"),
    (Specs("x", recipients={"database": "sqlite:////nowhere/p.db", "query": "SELECT 1"}), {}, "database"),
    (Specs("x", suppression={"file": "/nowhere/stop.txt"}), {"recipients": []}, "suppression"),
])
async def test_what_cannot_be_planned_says_why(specs: Specs, changes: dict, words: str) -> None:
    """Every foreign error becomes a reason that its owner can read."""
    with pytest.raises(CannotPlan, match=words):
        await everybody(specs, **changes)


async def test_missing_variables_are_named() -> None:
    """With their place in the template, and what there is instead."""
    specs = Specs("{{ city }} {{ code }}")
    material = await SpecMaterials(specs, NO_CHUNKS).gather(specs.run(parameters={"code": 1}))

    [sentence] = material.missing(["town"])

    assert "'city'" in sentence
    assert "text of template t" in sentence
    assert "town" in sentence


AT_NINE = {"local_time": "09:00", "default_timezone": "Europe/Berlin"}


async def due(specs: Specs, variables: dict, **changes: object) -> str | None:
    """When a recipient of a run triggered on 1 March at 00:00 UTC is due."""
    at = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
    run = specs.run(**{"triggered_at": at, "deadline": at + 86_400} | changes)
    local = (await SpecMaterials(specs, NO_CHUNKS).gather(run)).local_times()
    return datetime.fromtimestamp(local.of(variables), UTC).strftime("%d %H:%M") if local else None


@pytest.mark.parametrize(("workflow", "variables", "changes", "expected"), [
    ({}, {"timezone": "Asia/Tokyo"}, {}, None),
    (AT_NINE, {"timezone": "Asia/Tokyo"}, {}, "01 00:00"),
    (AT_NINE, {}, {}, "01 08:00"),
    (AT_NINE, {"timezone": "Mars/Base"}, {"parameters": {"timezone": "Asia/Kolkata"}}, "01 03:30"),
    ({"local_time": "09:00"}, {}, {}, "01 09:00"),
    (AT_NINE, {"timezone": "Asia/Tokyo"}, {"slot": "2026-03-01T12:00:00Z"}, "02 00:00"),
    (AT_NINE, {"timezone": "Asia/Tokyo"}, {"replay": Replay(run_id="r", statuses=["failed"])}, None),
])
async def test_when_people_are_due(workflow: dict, variables: dict, changes: dict, expected: str | None) -> None:
    """By their own zone, else by that of the run's parameters, else by the workflow's; a replay waits for no clock."""
    assert await due(Specs("x", **workflow), variables, **changes) == expected
