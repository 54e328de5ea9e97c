"""The schemas and the AsyncAPI document: fresh, sound, and true of what is really written."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from outreach_stream.agents.send import _result_record
from outreach_stream.agents.track import _status_record
from outreach_stream.broker.layout import topic_config
from outreach_stream.cli.dead_letters.letter import TOLD
from outreach_stream.contracts.files import FOLDER, files
from outreach_stream.contracts.headers import DeadLetterHeaders
from outreach_stream.contracts.published import PUBLISHED
from outreach_stream.contracts.schemas import schema_of
from outreach_stream.domain.events import RunStatus, SendResult
from outreach_stream.gateway.unsubscribing.suppressions import back, left
from outreach_stream.recipients.unsubscribing import Subscription
from outreach_stream.streaming import dead_letters
from outreach_stream.topics import FLOW, Layout
from tests.events.conftest import RECORDED

PROJECT = Path(__file__).parents[2]
FILES = files()
DOCUMENT = yaml.safe_load(FILES["asyncapi.yaml"])
BY_TOPIC = {each.topic.name: each for each in PUBLISHED}


COMMON = {"title", "summary", "description", "tags", "externalDocs", "bindings"}
FIELDS = {
    "info": {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
    "servers": COMMON | {"host", "protocol", "protocolVersion", "pathname", "variables", "security"},
    "channels": COMMON | {"address", "messages", "servers", "parameters"},
    "operations": COMMON | {"action", "channel", "security", "traits", "messages", "reply"},
    "messages": COMMON | {"headers", "payload", "correlationId", "contentType", "name", "examples", "traits"},
}
"""What AsyncAPI 3.0 knows of each; anything else is a mistake in writing."""


def checks(part: Any) -> jsonschema.Draft202012Validator:
    """A validator of a schema in the document, which may refer to others there."""
    return jsonschema.Draft202012Validator({**part, "components": DOCUMENT["components"]},
                                           format_checker=jsonschema.FormatChecker())


def test_the_files_are_fresh():
    """`python -m outreach_stream.contracts` was run after the models were changed, and no file of old is left."""
    assert {name: (PROJECT / FOLDER / name).read_text(encoding="utf-8") for name in FILES} == FILES
    assert {path.name for path in (PROJECT / FOLDER).glob("*.*")} == {*FILES, "README.md"}


def test_every_public_topic_is_described():
    """Those that `topics.py` calls public, in flow order, and no other."""
    assert list(DOCUMENT["channels"]) == [topic.name for topic in FLOW if topic.public]


def test_the_document_has_what_the_standard_demands():
    """AsyncAPI 3.0: required fields, every reference leads to something, messages of an operation are its channel's."""
    def resolve(reference: str) -> Any:
        part = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        return part

    references = re.findall(r"\$ref: '(.+)'", FILES["asyncapi.yaml"])
    assert len(references) > 20
    assert all(reference.startswith("#/") and resolve(reference) for reference in references)
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"].keys() >= {"title", "version"}
    assert all(server.keys() >= {"host", "protocol"} for server in DOCUMENT["servers"].values())
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        assert operation["action"] in {"send", "receive"}
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_the_document_has_nothing_that_the_standard_does_not_know():
    """A field that is misspelt would be passed over by whoever reads it."""
    parts = [("info", DOCUMENT["info"]), *(("messages", each) for each in DOCUMENT["components"]["messages"].values())]
    parts += [(kind, each) for kind in ("servers", "channels", "operations") for each in DOCUMENT[kind].values()]

    assert {*DOCUMENT} <= {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations",
                           "components"}
    assert [(kind, each.keys() - FIELDS[kind]) for kind, each in parts if each.keys() - FIELDS[kind]] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_schemas_are_schemas(name):
    """Of their dialect, and in the document of draft 7, which is AsyncAPI's, too."""
    schema = json.loads(FILES[name])

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][schema["title"]])
    assert schema["properties"] or schema["title"] == "DeadLetterHeaders"


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: each.name)
def test_examples_are_what_they_are_examples_of(each):
    """By the document's schemas, and by the models that read them."""
    (example,) = DOCUMENT["components"]["messages"][each.name]["examples"]
    message = DOCUMENT["components"]["messages"][each.name]

    checks(message["headers"]).validate(example["headers"])
    if each.value is not None:
        checks(message["payload"]).validate(example["payload"])
        each.value.model_validate(example["payload"])


@pytest.mark.parametrize("name", [name for name, recorded in RECORDED.items() if recorded["topic"] in BY_TOPIC])
def test_recorded_events_fit_the_schemas(name):
    """What was ever written keeps to the schemas of today, headers included: none may become stricter."""
    recorded = RECORDED[name]
    each = BY_TOPIC[recorded["topic"]]
    headers = dict(recorded["headers"])

    checks(schema_of(each.headers, written=True)).validate(headers)
    if each.value is not None and "key" not in (recorded["value"] or {"key": ""}):      # the short name is read only
        value = json.loads(FILES[f"{each.topic.name}.value.schema.json"])
        jsonschema.Draft202012Validator(value, format_checker=jsonschema.FormatChecker()).validate(recorded["value"])


def test_no_null_is_written():
    """A field without a value is missing: readers in typed languages need no unions."""
    for each in PUBLISHED:
        if each.action == "send":
            assert "null" not in FILES[f"{each.topic.name}.headers.schema.json"]
            assert '"null"' not in FILES.get(f"{each.topic.name}.value.schema.json", "")


def test_headers_are_those_that_are_written():
    """Types, ids and sources of events, by the agents that write them; and the marks of a dead letter."""
    result = SendResult(**BY_TOPIC["send.result"].example["payload"])
    status = RunStatus(**BY_TOPIC["run.status"].example["payload"])

    for record, topic in ((_result_record(result), "send.result"), (_status_record(status), "run.status")):
        headers = {name: value.decode() for name, value in record.headers}
        checks(schema_of(BY_TOPIC[topic].headers, written=True)).validate(headers)
        assert headers == BY_TOPIC[topic].example["headers"]
        assert record.key == result.run_id.encode()
        assert json.loads(record.value or b"") == BY_TOPIC[topic].example["payload"]
    shown = BY_TOPIC["suppression"].example
    who = Subscription("newsletter", "Ada@example.com", shown["payload"]["run_id"])
    at = datetime.fromisoformat(shown["payload"]["at"]).timestamp()
    for record in (left(who, "one_click", at), back(who, at)):
        assert {name: value.decode() for name, value in record.headers} == shown["headers"]
        assert shown["headers"]["ce_id"].startswith(f"{record.key.decode()}/")
    assert json.loads(left(who, "one_click", at).value) == shown["payload"] | {"email": "Ada@example.com"}
    assert tuple(DeadLetterHeaders.model_fields) == (*TOLD, "truncated")
    assert DeadLetterHeaders.model_json_schema()["properties"]["reason"]["maxLength"] == dead_letters.LONGEST_REASON


@pytest.mark.parametrize("each", PUBLISHED, ids=lambda each: each.name)
def test_channels_are_as_topics_are_created(each):
    """Partitions by default, policy and time are those of the real topic."""
    bound = DOCUMENT["channels"][each.topic.name]["bindings"]["kafka"]
    config = topic_config(each.topic)

    assert bound["partitions"] == Layout().partitions(each.topic)
    assert ",".join(bound["topicConfiguration"]["cleanup.policy"]) == config["cleanup.policy"]
    assert str(bound["topicConfiguration"]["retention.ms"]) == config["retention.ms"]


def test_links_of_the_readme_lead_somewhere():
    """Every relative link is a file."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (PROJECT / FOLDER / "README.md").read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not (PROJECT / FOLDER / link).exists()] == []
