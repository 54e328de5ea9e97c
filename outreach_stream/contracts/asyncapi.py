"""The AsyncAPI 3.0 document of the public topics (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""

from typing import Any, override

import yaml

from outreach_stream.contracts.published import PUBLISHED, Published
from outreach_stream.contracts.schemas import Schema, schema_of
from outreach_stream.topics import DAY, Layout

VERSION = "1.1.0"
"""Of the contract, not of the program: the first number is the events' schema_version, the second one counts what was
added within it, the third what was said better."""

_ABOUT = """\
Kafka topics through which other services start runs of outreach-stream, and learn what became of them.

Values are JSON objects in UTF-8. A field that is not known to a reader is to be ignored: fields are added within a
`schema_version`. Whatever we publish has the headers of CloudEvents 1.0 in binary mode. Numbers of partitions are the
defaults; they are fixed when a topic is created (`outreach topics list` shows them).
README.md, beside this file, has the rule of compatibility and examples of producers and consumers.
"""

_SCHEMAS = "#/components/schemas/"
_BINDING = "0.5.0"


def document() -> str:
    """The whole document, YAML, as it stands in the file."""
    layout = Layout()
    whole = {
        "asyncapi": "3.0.0",
        "info": {"title": "outreach-stream", "version": VERSION, "description": _ABOUT,
                 "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}},
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka",
                              "description": "For example; yours is what OUTREACH_KAFKA_BOOTSTRAP names."}},
        "channels": {each.topic.name: _channel(each, layout) for each in PUBLISHED},
        "operations": {_operation_id(each): _operation(each) for each in PUBLISHED},
        "components": {"messages": {each.name: _message(each) for each in PUBLISHED}, "schemas": _schemas()},
    }
    return yaml.dump(whole, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)


def _channel(each: Published, layout: Layout) -> Schema:
    topic = each.topic
    policy = [*(["compact"] if topic.compacted else []), *(["delete"] if topic.keep else [])]
    assert topic.keep or topic.compacted, "public topics grow for ever only by their keys"
    which = "Of each key the last record is" if topic.compacted else "Records are"
    kept = f"for {topic.keep // DAY} days" if topic.keep else "for ever"
    return {
        "address": topic.name, "title": topic.carries,
        "description": f"{each.told}\n{which} kept {kept}.\n",
        "messages": {each.name: {"$ref": f"#/components/messages/{each.name}"}},
        "bindings": {"kafka": {
            "topic": topic.name, "partitions": layout.partitions(topic),
            "topicConfiguration": {"cleanup.policy": policy, "retention.ms": topic.keep * 1000 if topic.keep else -1},
            "bindingVersion": _BINDING}},
    }


def _operation_id(each: Published) -> str:
    return f"{each.action}{each.name}"


def _operation(each: Published) -> Schema:
    channel = f"#/channels/{each.topic.name}"
    who = "Other services send it." if each.action == "receive" else "Other services receive it."
    return {"action": each.action, "summary": f"outreach-stream {each.action}s it. {who}",
            "channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{each.name}"}]}


def _message(each: Published) -> Schema:
    described = {"contentType": "application/octet-stream"} if each.value is None else {}
    payload: Schema = {"description": "The record's value, as it came."}
    return {
        "name": each.name, "summary": each.topic.carries, **described,
        "headers": {"$ref": _SCHEMAS + each.headers.__name__},
        "payload": payload if each.value is None else {"$ref": _SCHEMAS + each.value.__name__},
        "bindings": {"kafka": {"key": {"type": "string", "description": each.key}, "bindingVersion": _BINDING}},
        "examples": [{"name": "example", **each.example}],
    }


def _schemas() -> Schema:
    """Of all values and headers, and of what they are made of, each under its own name."""
    found: Schema = {}
    for each in PUBLISHED:
        for model in (each.value, each.headers):
            if model is not None:
                schema = schema_of(model, written=each.action == "send", refs=_SCHEMAS + "{model}")
                found |= {**schema.pop("$defs", {}), model.__name__: schema}
    return found


class _Dumper(yaml.SafeDumper):
    """Without aliases, which are legal and which nobody wants to read; texts of several lines as they are."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
