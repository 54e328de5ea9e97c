"""When a workflow's mails may go: what a file may say of it, and that it is frozen as it was said."""

from datetime import time

import pytest
from pydantic import ValidationError

from outreach_stream.catalog.models import Template, Workflow
from outreach_stream.catalog.spec import WorkflowSpec


def workflow(**fields: object) -> Workflow:
    return Workflow.model_validate({"id": "w", "template": "t", "engines": ["e"], "from": "a@example.com"} | fields)


def test_a_time_of_day_is_frozen_as_it_was_read() -> None:
    """A spec that is written and read again has the same time, zone and digest."""
    spec = WorkflowSpec(workflow=workflow(local_time="09:30", default_timezone="Asia/Kolkata"),
                        template=Template(id="t", subject="Hello", text="Hello"))
    again = WorkflowSpec.read(spec.encoded)

    assert (again.workflow.local_time, again.workflow.default_timezone) == (time(9, 30), "Asia/Kolkata")
    assert again.digest == spec.digest


@pytest.mark.parametrize(("fields", "words"), [
    ({"local_time": 600}, 'a time of day in quotes: write for example "22:00"'),       # 10:00 of YAML, without quotes
    ({"local_time": "9am"}, "a time of day in quotes"),
    ({"default_timezone": "Europe/Berlim"}, "no time zone"),
    ({"local_time": "09:00", "deadline": "23h59m"}, "write 24h or more"),
    ({"local_time": "09:00", "priority": "express"}, "drop one of the two"),
    ({"local_time": "09:00", "deadline": "30d"}, "at most 14d"),
])
def test_what_cannot_be_is_refused(fields: dict, words: str) -> None:
    """Also a deadline by which not everybody could become due, and express, which waits for nothing."""
    with pytest.raises(ValidationError, match=words):
        workflow(**fields)


def test_a_deadline_of_a_day_is_enough() -> None:
    """The default is one; without a time of day a shorter one is as good."""
    assert workflow(local_time="09:00").deadline == 86_400
    assert workflow(deadline="1h").local_time is None
