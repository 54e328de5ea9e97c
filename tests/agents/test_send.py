import orjson

from outreach_stream.agents.send import _result_record
from outreach_stream.domain.events import SendResult
from outreach_stream.domain.states import RecipientStatus


def test_a_result_carries_the_headers_of_a_cloud_event():
    """Type, source, id and time are where CloudEvents' Kafka binding puts them, and JSON as its value."""
    result = SendResult(run_id="r", send_id="r:0:7", chunk=0, index=7, email="a@example.com",
                        status=RecipientStatus.SENT, engine="relay", finished_at="2026-11-24T09:00:00.000Z")
    record = _result_record(result)
    headers = dict(record.headers)

    assert record.key == b"r"
    assert headers["ce_type"] == b"outreach.send.result" and headers["ce_source"] == b"/runs/r"
    assert headers["ce_id"] == b"r:0:7/sent" and headers["ce_time"] == b"2026-11-24T09:00:00.000Z"
    assert orjson.loads(record.value)["status"] == "sent"
