"""The headers of public events."""

import pytest

from outreach_stream.agents.cloud_events import cloud_headers, cloud_id


def test_public_events_carry_the_required_attributes():
    """CloudEvents 1.0, Kafka binding, binary mode: attributes as `ce_` headers, the data's type as `content-type`."""
    headers = dict(cloud_headers("outreach.run.status", "/workflows/7", "r/1", "2026-11-24T12:00:00.000Z"))

    assert headers == {
        "ce_specversion": b"1.0", "ce_id": b"r/1", "ce_type": b"outreach.run.status", "ce_source": b"/workflows/7",
        "ce_time": b"2026-11-24T12:00:00.000Z", "content-type": b"application/json"}


@pytest.mark.parametrize(("headers", "given"), [
    ([("ce_id", b"t-1")], "t-1"), ([("ce_id", b"")], None), ([("ce_id", b"\xff")], None), ([], None),
    ([("ce_id", None)], None), ([("ce_id", b"t" * 256)], None), ([("other", b"x")], None),
])
def test_a_triggers_id_is_taken_from_its_headers_if_it_is_text(headers, given):
    """Foreign producers may send none, or rubbish."""
    assert cloud_id(headers) == given
