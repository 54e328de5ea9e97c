"""A workflow frozen for a run: everything its mails are made of, addressed by its content."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue

from outreach_stream.catalog.attached import LARGEST_FILES
from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.domain.lanes import lanes_for
from outreach_stream.domain.policy import Policy, Retry, Route

LARGEST_SPEC = LARGEST_FILES // 3 * 4 + 384 * 1024
"""Bytes of an encoded spec at most: a template's files, in base64, and all the rest. The topic's limit is above it."""


class WrongParameters(ValueError):  # noqa: N818 - named as it is said
    """The trigger's parameters do not fit the workflow; the message names each."""


class WorkflowSpec(BaseModel):
    """A workflow with its template's bodies and its engines' ids: no engine's configuration and no secret.

    The runs of one version of a workflow share one spec, whenever and wherever they are admitted.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    schema_version: Literal[1] = 1
    workflow: Workflow
    template: Template
    lanes: dict[str, list[int]] = {}
    """Of each of the workflow's engines: where a recipient goes that one of them hands on to another."""

    @classmethod
    def read(cls, data: bytes | str) -> Self:
        """The spec in `data`, fields of a newer writer ignored; raises pydantic's `ValidationError`."""
        return cls.model_validate_json(data, extra="ignore")

    @cached_property
    def encoded(self) -> bytes:
        """Its canonical JSON: equal for equal content, in every process."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of its canonical JSON."""
        return hashlib.sha256(self.encoded).hexdigest()

    @property
    def engine(self) -> str:
        """Id of the primary engine."""
        return self.workflow.engines[0]

    @property
    def policy(self) -> Policy:
        """What is done when a mail does not simply go out."""
        workflow, rule = self.workflow, self.workflow.retry
        return Policy(
            retry=Retry(rule.attempts, rule.within, rule.first, rule.longest), in_doubt=workflow.in_doubt,
            on_engine_stopped=workflow.on_engine_stopped,
            routes=[Route(engine, self.lanes[engine]) for engine in workflow.engines if engine in self.lanes],
            unsubscribe=workflow.unsubscribe)

    def bind(self, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The trigger's parameters completed by defaults; raises `WrongParameters` for unknown or missing ones."""
        declared = self.workflow.parameters
        unknown = sorted(set(given) - set(declared))
        missing = sorted(name for name, parameter in declared.items() if parameter.required and name not in given)
        if unknown or missing:
            parts = [f"{what}: {', '.join(names)}"
                     for what, names in (("missing parameters", missing), ("unknown parameters", unknown)) if names]
            known = ", ".join(declared) or "none"
            raise WrongParameters(f"{'; '.join(parts)} (workflow {self.workflow.id} declares: {known})")
        return {name: given.get(name, parameter.default) for name, parameter in declared.items()}


_frozen: dict[str, WorkflowSpec] = {}
"""The last spec of each workflow: every trigger asks for it, and with files it takes milliseconds to encode."""


def freeze(catalog: Catalog, workflow_id: int | str, partitions: int) -> WorkflowSpec:
    """The workflow as it stands in `catalog`, in a layout of so many lanes; raises `UnknownWorkflow`."""
    workflow, engines = catalog.workflow(workflow_id), catalog.engines
    template = catalog.templates[workflow.template]
    lanes = {engine: lanes_for(engines[engine], partitions) for engine in workflow.engines if engine in engines}
    last = _frozen.get(workflow.id)
    if last and last.workflow is workflow and last.template is template and last.lanes == lanes:
        return last
    spec = _frozen[workflow.id] = WorkflowSpec(workflow=workflow, template=template, lanes=lanes)
    return spec
