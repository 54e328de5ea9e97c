"""The headers that public events carry: CloudEvents 1.0, Kafka protocol binding, binary mode."""

from collections.abc import Iterable

from outreach_stream.streaming.produce import Headers

LONGEST_ID = 255


def cloud_headers(event_type: str, source: str, event_id: str, time: str) -> Headers:
    """The required attributes (sections 3.2.3 and 3.2.1), and the time, RFC 3339."""
    attributes = {"ce_specversion": "1.0", "ce_id": event_id, "ce_type": event_type, "ce_source": source,
                  "ce_time": time, "content-type": "application/json"}
    return [(name, text.encode()) for name, text in attributes.items()]


def cloud_id(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The event's id, if its producer gave one that is text and no longer than an id may be."""
    given = next((value for name, value in headers if name == "ce_id"), None)
    try:
        return given.decode() or None if given and len(given) <= LONGEST_ID else None
    except UnicodeDecodeError:
        return None
