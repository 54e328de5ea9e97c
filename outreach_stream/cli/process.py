"""What every command that talks to Kafka begins with: its settings, and logs worth reading."""

import logging
import sys
from types import TracebackType

import structlog

from outreach_stream.broker.access import in_clear, kafka_access
from outreach_stream.settings import Settings, load_settings
from outreach_stream.streaming.logs import calm_libraries
from outreach_stream.telemetry import logs


def service(**always: str) -> Settings:
    """Settings of a process that runs on: it logs what it does, each line with `always`; its crash, too.

    Raises `AccessSettingError` if what they say of Kafka's login or certificates cannot be read.
    """
    settings = _begin(load_settings(), **always)
    kafka_access()
    if settings.kafka_bootstrap and in_clear(settings, settings.kafka_bootstrap):
        structlog.get_logger().warning("kafka_login_in_clear", bootstrap=settings.kafka_bootstrap)
    return settings


def command() -> Settings:
    """Settings of a command that is watched by a person: it logs only what goes wrong."""
    settings = load_settings()
    _begin(settings.model_copy(update={"log_level": "warning"}))
    return settings


def _begin(settings: Settings, **always: str) -> Settings:
    sys.excepthook = _crashed
    logs.configure(settings, **always)
    calm_libraries()
    # What these would say we say ourselves; the last are Faust's services, which log by the name of their module.
    for name in ("uvicorn", "httpx", "outreach_stream"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return settings


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback may quote what it was given, so it goes through the logs, which mask addresses and secrets."""
    structlog.get_logger().error("process_crashed", exc_info=(kind, error, trace))
