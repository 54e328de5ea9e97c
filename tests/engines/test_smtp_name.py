"""What we call ourselves."""

import socket

import pytest

from outreach_stream.engines.registry import engine_from
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_connect import SmtpConnector, _own_name


def connector(**settings: str) -> SmtpConnector:
    config = engine_from({"id": "relay", "kind": "smtp", "host": "127.0.0.1", "security": "none", **settings})
    assert isinstance(config, SmtpConfig)
    return SmtpConnector(config)


def test_the_name_of_this_machine_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections are opened: where DNS does not answer, each would be held up by it."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "getfqdn", lambda: asked.append("it") or "sender.example.org")
    _own_name.cache_clear()
    names = {connector().prepared()[0] for _ in range(5)}
    _own_name.cache_clear()
    assert (names, len(asked)) == ({"sender.example.org"}, 1)


def test_a_configured_name_is_used_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the relay's administrator who knows by which name we are let in."""
    monkeypatch.setattr(socket, "getfqdn", lambda: pytest.fail("asked"))
    _own_name.cache_clear()
    assert connector(local_hostname="mail.example.org").prepared()[0] == "mail.example.org"
