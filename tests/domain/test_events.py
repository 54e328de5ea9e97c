import pytest
from pydantic import ValidationError

from outreach_stream.domain.triggers import WorkflowTriggered


@pytest.mark.parametrize("field", ["trigger_id", "idempotency_key", "source", "workflow_id"])
def test_a_name_that_would_not_fit_into_our_records_is_refused(field):
    """What a foreign producer names is repeated in records of ours: a megabyte of it must not get past the decoding."""
    fields = {"workflow_id": "welcome", field: "x" * 256}

    with pytest.raises(ValidationError, match=field):
        WorkflowTriggered.model_validate(fields)


def test_the_short_name_of_a_key_and_unknown_fields_are_understood():
    """`key` is `idempotency_key`, and what a newer writer adds is passed over."""
    trigger = WorkflowTriggered.model_validate_json(b'{"workflow_id": 1, "key": "k", "colour": "red"}')

    assert (trigger.workflow_id, trigger.idempotency_key) == (1, "k")
