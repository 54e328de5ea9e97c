"""docs/catalog.md tells what a catalog may hold: every field, every default, examples that load."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from outreach_stream.catalog.models import RecipientQuery, RetryRule, Template, Workflow
from outreach_stream.catalog.schedules import QuietWindow, Schedule
from outreach_stream.engines import registry
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.http_config import HttpConfig, HttpConnections, HttpTimeouts
from outreach_stream.engines.smtp_config import DkimKey, Relay, SmtpConfig, SmtpConnections, SmtpTimeouts

DOCUMENT = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
KINDS = {name: registry.kind({"kind": name}).config for name in registry.BUILT_IN}

MODELS: dict[str, dict[type[BaseModel], str]] = {
    "A workflow": {Workflow: "", RecipientQuery: "recipients."},
    "`retry`": {RetryRule: ""},
    "Of every kind": {EngineConfig: ""},
    "By HTTP": {HttpConfig: "", HttpConnections: "connections.", HttpTimeouts: "timeouts."},
    "A template": {Template: ""},
    "A schedule": {Schedule: "", QuietWindow: "quiet."},
} | {f"`{name}`": {config: ""} for name, config in KINDS.items()}
"""By section: whose fields its table lists, and what stands before their names there."""
MODELS["`smtp`"] |= {SmtpConnections: "connections.", SmtpTimeouts: "timeouts.", Relay: "relays.", DkimKey: "dkim."}

BY_THEIR_PARTS = {"connections", "timeouts"}
"""Fields that have no row of their own."""


def rows(section: str) -> Iterator[tuple[list[str], str]]:
    """Of each row of the section's table: the fields, and the text of their defaults."""
    for row in re.findall(r"^\| (`.*) \|$", SECTIONS[section], re.MULTILINE):
        cells = row.split("|")
        yield re.findall(r"`([\w.]+)`", cells[0]), cells[1].strip()


def fields(section: str) -> Iterator[tuple[str, FieldInfo]]:
    """Every field that the section has to tell, as a file spells it: those of a base class are told elsewhere."""
    for model, prefix in MODELS[section].items():
        bases = [base for base in (HttpConfig, EngineConfig) if issubclass(model, base) and model is not base]
        for name, field in model.model_fields.items():
            if name not in BY_THEIR_PARTS and not any(name in base.model_fields for base in bases):
                yield prefix + (field.alias or name), field


@pytest.mark.parametrize("section", MODELS)
def test_every_field_is_documented_and_no_other(section: str) -> None:
    """What the tables list is what the models take."""
    told = [name for names, _ in rows(section) for name in names]

    assert sorted(told) == sorted(name for name, _ in fields(section))


@pytest.mark.parametrize("section", MODELS)
def test_defaults_are_those_of_the_models(section: str) -> None:
    """A default that is a value stands in the table as a file would write it; what must be given has none there."""
    told: dict[str, str] = {}
    for names, text in rows(section):
        texts = text.split(",") if len(names) > 1 else [text]
        told |= dict(zip(names, map(str.strip, texts), strict=False)) if len(texts) == len(names) else {}
    for name, field in fields(section):
        if isinstance(field.default, str | int | float) and field.default != "" and name in told:
            assert told[name] == f"`{json.dumps(field.default).strip('"').removesuffix('.0')}`", name
        elif field.is_required() and name != "id":
            assert told.get(name, "") == "", name


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_of_an_engine_loads(kind: str) -> None:
    """Each kind has an example in its section, which can be used as it stands."""
    examples = re.findall(r"```yaml\n(.*?)```", SECTIONS[f"`{kind}`"], re.DOTALL)

    assert examples
    for example in examples:
        assert registry.engine_from({"id": "example", **yaml.safe_load(example)}).kind == kind


def test_the_other_examples_load() -> None:
    """Workflow, template and schedule of the document can be used as they stand."""
    workflow, template, schedule = (yaml.safe_load(re.findall(r"```yaml\n(.*?)```", SECTIONS[section], re.DOTALL)[0])
                                    for section in ("A workflow", "A template", "A schedule"))

    assert Workflow.model_validate(workflow).retry.attempts == 10
    assert Template.model_validate({"id": "spring-offer", **template}).subject
    assert len(Schedule.model_validate({"id": "daily", **schedule}).quiet) == 2


def test_the_example_of_a_relay_limits_it() -> None:
    """The first engine that a reader sees has all its limits."""
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", SECTIONS["`smtp`"], re.DOTALL)[0])
    relay = registry.engine_from({"id": "main", **example})

    assert isinstance(relay, SmtpConfig)
    assert (relay.rate, relay.hourly, relay.daily) == (50, 10_000, 50_000)
