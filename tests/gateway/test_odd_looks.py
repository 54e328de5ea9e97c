"""What no form of a page sends, and Python's JSON reads all the same: refused or shown, never an error of ours."""

from pathlib import Path

from tests.gateway.conftest import Open
from tests.gateway.shop import shop

BODIES = [
    b'{"recipient": {"email": "a@example.com", "variables": {"city": "\\ud800"}}}',
    b'{"recipient": {"email": "a@example.com", "name": "\\ud800\\r\\nBcc: x", "variables": {"city": "\\u0000"}}}',
    b'{"recipient": {"email": "a@example.com", "variables": {"city": NaN}}}',
    b'{"recipient": {"email": "a@example.com", "variables": {"city": {"\\udfff": 1e400}}}}',
    b'{"recipient": {"email": "a@example.com", "variables": {"city": 1' + b"0" * 4_000 + b"}}}",
    b'{"recipient": {"email": "a@example.com", "variables": {"self": 1, "range": 2, "city": "x", "loop": []}}}',
    b'{"recipient": {"email": "a@example.com", "variables": {"city": ' + b"[" * 200 + b"]" * 200 + b"}}}",
    b'{"parameters": {"discount": "\\ud800"}, "recipient": {"email": "a@example.com", "variables": {"city": "x"}}}',
    b'{"recipient": {"email": "\\ud800@example.com"}}',
]


async def test_odd_values_are_shown_or_refused(tmp_path: Path, gateway_at: Open, kafka_topics: str) -> None:
    """In a preview and in a test alike; a header in a name adds none."""
    async with gateway_at(kafka_topics, shop(tmp_path)) as client:
        for body in BODIES:
            to = body.replace(b"{", b'{"to": "me@example.com", ', 1)
            shown, sent = [await client.post(f"/api/v1/workflows/inline/{what}", content=content, headers={
                "Content-Type": "application/json"}) for what, content in (("preview", body), ("test", to))]

            assert shown.status_code in {200, 400, 422}, body
            assert sent.status_code in {202, 400, 422}, body
            assert "\n" not in "".join(shown.json().get("headers", {}).values())
