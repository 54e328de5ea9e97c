"""The headers that public events carry: CloudEvents 1.0, Kafka protocol binding, binary mode."""

from collections.abc import Iterable
from functools import lru_cache

from outreach_stream.streaming.produce import Headers

LONGEST_ID = 255


_VERSION, _CONTENT = ("ce_specversion", b"1.0"), ("content-type", b"application/json")


def cloud_headers(event_type: str, source: str, event_id: str, time: str) -> Headers:
    """The required attributes (sections 3.2.3 and 3.2.1), and the time, RFC 3339."""
    return [_VERSION, ("ce_id", event_id.encode()), *_origin(event_type, source), ("ce_time", time.encode()), _CONTENT]


@lru_cache(256)
def _origin(event_type: str, source: str) -> Headers:
    """Kept: all results of a run have the same."""
    return ("ce_type", event_type.encode()), ("ce_source", source.encode())


def cloud_id(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The event's id, if its producer gave one that is text and no longer than an id may be."""
    given = next((value for name, value in headers if name == "ce_id"), None)
    try:
        return given.decode() or None if given and len(given) <= LONGEST_ID else None
    except UnicodeDecodeError:
        return None
