"""Events of releases that are gone are still on the topics: what they meant then they mean for ever."""

import json

import pytest

from outreach_stream.agents.finalize import _without_log
from outreach_stream.cli.events.decoding import decode
from outreach_stream.cli.events.showing import MATTERS
from outreach_stream.dispatch.requests import read_chunk
from outreach_stream.domain.marks import STATUS_OF
from outreach_stream.runs.results import MalformedResultError, read_result
from outreach_stream.topics import FLOW
from tests.events.conftest import RECORDED, consumed

WITH_VALUES = {name: recorded for name, recorded in RECORDED.items() if isinstance(recorded["value"], dict)}


def differences(means: dict, event: dict) -> dict:
    """The fields that have another value than they had; those that were added since are none."""
    return {name: event.get(name) for name, value in means.items()
            if (differences(value, event.get(name) or {}) if isinstance(value, dict) else event.get(name) != value)}


def test_every_kind_of_event_is_recorded():
    """Of each topic and of each kind at least one."""
    assert {recorded["topic"] for recorded in RECORDED.values()} == {topic.name for topic in FLOW}
    assert {recorded["kind"] for recorded in RECORDED.values()} == {*MATTERS, "Deleted"}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_event_means_what_it_meant(name):
    """Field by field, with the defaults of those it does not have, and the run that a trigger asks for."""
    decoded = decode(consumed(RECORDED[name]))

    assert (decoded.unreadable, decoded.kind) == (None, RECORDED[name]["kind"])
    assert differences(RECORDED[name]["means"] or {}, dict(decoded.event or {})) == {}


@pytest.mark.parametrize("name", WITH_VALUES)
def test_fields_of_a_newer_writer_are_passed_over(name):
    """Unknown ones, of any type, in the event and in the parts of it that have fields of their own."""
    value = WITH_VALUES[name]["value"]
    newer = {"colour": {"red": [1, None]}} | value
    for part in ("counts", "replay", "workflow", "template", "request"):
        if isinstance(value.get(part), dict):
            newer[part] = value[part] | {"colour": "red"}

    assert decode(consumed(RECORDED[name], newer)).event == decode(consumed(RECORDED[name])).event


@pytest.mark.parametrize("name", WITH_VALUES)
def test_another_schema_version_is_refused_by_its_name(name):
    """Never half understood: the reason says which field it is."""
    decoded = decode(consumed(RECORDED[name], WITH_VALUES[name]["value"] | {"schema_version": 2}))

    assert decoded.event is None
    assert "schema_version" in (decoded.unreadable or "")


@pytest.mark.parametrize("name", [name for name in RECORDED if name.startswith("send.result")])
def test_the_quick_reader_of_results_agrees(name):
    """Counting reads less of a result than the model does, and the same."""
    value = RECORDED[name]["value"]
    result = read_result(json.dumps(value | {"colour": "red"}).encode(), 41)

    assert {"run_id": result.run_id, "chunk": result.chunk, "index": result.index, "status": STATUS_OF[result.mark],
            "possible_duplicate": result.possible_duplicate}.items() <= value.items()
    with pytest.raises(MalformedResultError, match="schema_version"):
        read_result(json.dumps(value | {"schema_version": 2}).encode(), 41)


@pytest.mark.parametrize("name", [name for name in RECORDED if name.startswith("run.status")])
def test_the_quick_reader_of_statuses_agrees(name):
    """Whether a run has ended and its log is still to be written."""
    value = RECORDED[name]["value"]
    run, ended = _without_log(json.dumps(value).encode())

    assert (run is None, ended) == ("log" in value, value["state"] in {"COMPLETED", "FAILED", "CANCELLED"})
    with pytest.raises(Exception, match="schema_version"):
        _without_log(json.dumps(value | {"schema_version": 2}).encode())


def test_the_quick_reader_of_chunks_agrees():
    """Rows, their columns, and who may have been mailed already."""
    value = RECORDED["run.chunk"]["value"]
    snapshot = read_chunk(json.dumps(value | {"colour": "red"}).encode(), value["run_id"], value["chunk"])

    assert (snapshot.columns, snapshot.rows, sorted(snapshot.doubted)) == (
        value["columns"], value["rows"], value["doubted"])
