"""One record of each public topic, as it is on the wire."""

from typing import Any

_RUN = "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11"

TRIGGER: dict[str, Any] = {
    "headers": {"ce_id": "order-4711"},
    "payload": {
        "schema_version": 1, "workflow_id": "welcome", "source": "shop", "idempotency_key": "order-4711",
        "parameters": {"discount": 20}, "recipients": [{"email": "ada@example.com", "name": "Ada", "language": "en"}]},
}

RESULT: dict[str, Any] = {
    "headers": {
        "ce_specversion": "1.0", "ce_id": f"{_RUN}:0:17/sent", "ce_type": "outreach.send.result",
        "ce_source": f"/runs/{_RUN}", "ce_time": "2026-03-01T09:00:02.417Z", "content-type": "application/json"},
    "payload": {
        "schema_version": 1, "run_id": _RUN, "send_id": f"{_RUN}:0:17", "chunk": 0, "index": 17,
        "email": "ada@example.com", "status": "sent", "engine": "relay",
        "message_id": f"<{_RUN}.0.17@example.com>", "provider_message_id": "4cZ9Xk1h2Tz9sWb", "attempts": 1,
        "possible_duplicate": False, "recovered": False, "started_at": "2026-03-01T09:00:02.381Z",
        "finished_at": "2026-03-01T09:00:02.417Z"},
}

STATUS: dict[str, Any] = {
    "headers": {
        "ce_specversion": "1.0", "ce_id": f"{_RUN}/COMPLETED/2026-03-01T09:00:09.120Z",
        "ce_type": "outreach.run.status", "ce_source": "/workflows/welcome", "ce_time": "2026-03-01T09:00:09.120Z",
        "content-type": "application/json"},
    "payload": {
        "schema_version": 1, "run_id": _RUN, "workflow_id": "welcome", "state": "COMPLETED", "warnings": [],
        "source": "shop", "engine": "relay",
        "counts": {"total": 1000, "sent": 990, "failed": 10, "expired": 0, "in_doubt": 0, "cancelled": 0, "skipped": 3,
                   "possible_duplicates": 0},
        "states": {"QUEUED": "2026-03-01T09:00:01.002Z", "INITIALIZING": "2026-03-01T09:00:01.240Z",
                   "SENDING": "2026-03-01T09:00:01.611Z", "COMPLETED": "2026-03-01T09:00:08.870Z"},
        "deadline": "2026-03-02T09:00:01.000Z", "deadline_passed": False, "paused": False, "cancelling": False,
        "not_due": 0,
        "log": f"output/2026-03-01/{_RUN}.json", "updated_at": "2026-03-01T09:00:09.120Z"},
}

LEFT: dict[str, Any] = {
    "headers": {
        "ce_specversion": "1.0", "ce_id": "e51ff4162f545e1be824a6d5c61b6a8e/2026-03-01T18:20:11.804Z",
        "ce_type": "outreach.unsubscribed", "ce_source": "/lists/newsletter", "ce_time": "2026-03-01T18:20:11.804Z",
        "content-type": "application/json"},
    "payload": {
        "schema_version": 1, "list": "newsletter", "email": "ada@example.com", "at": "2026-03-01T18:20:11.804Z",
        "how": "one_click", "run_id": _RUN},
}

LETTER: dict[str, Any] = {
    "headers": {"source_topic": "workflow.triggered", "source_partition": "2", "source_offset": "1041",
                "reason": "not a WorkflowTriggered: workflow_id: Field required"},
    "payload": '{"workflow": "welcome"}',
}
