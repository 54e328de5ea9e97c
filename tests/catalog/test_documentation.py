"""docs/catalog.md tells what a catalog may hold: every field, every default, examples that load."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from pydantic import BaseModel

from outreach_stream.catalog.models import (
    RecipientQuery,
    RetryRule,
    Template,
    Workflow,
)
from outreach_stream.engines.smtp_config import SmtpConfig, SmtpConnections, SmtpTimeouts

DOCUMENT = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
ROWS = [row.split(" | ") for row in re.findall(r"^\| (`.*) \|$", DOCUMENT, re.MULTILINE)]
FIELDS = [name for cells in ROWS for name in re.findall(r"`([\w.]+)`", cells[0])]
PREFIXES = {RecipientQuery: "recipients.", SmtpConnections: "connections.", SmtpTimeouts: "timeouts."}
MODELS: tuple[type[BaseModel], ...] = (
    Workflow, RecipientQuery, RetryRule, SmtpConfig, SmtpConnections, SmtpTimeouts, Template)


def fields() -> Iterator[str]:
    """Every field that a file may have, as the document spells it."""
    for model in MODELS:
        for name, field in model.model_fields.items():
            if name not in {"connections", "timeouts"}:  # they are told by their own fields
                yield PREFIXES.get(model, "") + (field.alias or name)


def test_every_field_is_documented_and_no_other() -> None:
    """What the tables list is what the models take."""
    assert set(FIELDS) == set(fields())


def test_defaults_are_those_of_the_models() -> None:
    """A default that stands in a table as a value is the model's, as a file would write it."""
    told = {name: re.findall(r"`([^`]+)`", cells[1]) for cells in ROWS
            for name in re.findall(r"`([\w.]+)`", cells[0]) if len(re.findall(r"`[\w.]+`", cells[0])) == 1}
    for model in MODELS:
        for name, field in model.model_fields.items():
            spelt = PREFIXES.get(model, "") + (field.alias or name)
            if field.default and isinstance(field.default, str | int | float) and spelt in told:
                as_written = json.dumps(field.default).strip('"').removesuffix(".0")
                assert told[spelt] == [as_written], spelt


def test_the_examples_load() -> None:
    """Workflow, engine and template of the document can be used as they stand."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    workflow, engine, template = map(yaml.safe_load, blocks)
    assert Workflow.model_validate(workflow).retry.attempts == 10
    assert SmtpConfig.model_validate({"id": "main", **engine}).daily == 50_000
    assert Template.model_validate({"id": "spring-offer", **template}).subject
