"""Process logs: one event a line on standard error, JSON for machines, readable on a terminal, never an address."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from outreach_stream.settings import Settings
from outreach_stream.telemetry.redaction import redact

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(settings: Settings, **always: str) -> None:
    """Set up the logs of this process; every line carries `always`. What libraries log goes the same way."""
    level = _LEVELS.get(settings.log_level.lower(), logging.INFO)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars, lambda _logger, _method, event: {**always, **event},
        structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info, _redacted,
    ]
    last = _renderer(settings.log_format)
    structlog.configure(
        processors=[*shared, last], wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr), cache_logger_on_first_use=True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]))
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)


def _renderer(log_format: str) -> Processor:
    if log_format == "console" or (log_format == "auto" and sys.stderr.isatty()):
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer()


def _redacted(_logger: Any, _method: str, event: EventDict) -> EventDict:
    meta = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    redacted: EventDict = redact(event)
    return {**redacted, **meta}
