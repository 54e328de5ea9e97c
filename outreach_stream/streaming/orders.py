"""What is ordered in mid-run, as it is read from `control`."""

from collections.abc import Callable

import structlog

from outreach_stream.domain.control import Control

log = structlog.get_logger()


def feeding(control: Control) -> Callable[[bytes, bytes | None], None]:
    """What takes a view's records into `control`; one that cannot be read is logged and passed over."""
    def note(key: bytes, value: bytes | None) -> None:
        try:
            control.note(key, value)
        except ValueError as error:
            log.warning("control_unreadable", key=repr(key), reason=str(error))
    return note
