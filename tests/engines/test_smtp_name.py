"""What we call ourselves."""

import socket

import pytest

from outreach_stream.engines import smtp_connect
from outreach_stream.engines.registry import engine_from
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_connect import SmtpConnector


def connector(**settings: str) -> SmtpConnector:
    config = engine_from({"id": "relay", "kind": "smtp", "host": "127.0.0.1", "security": "none", **settings})
    assert isinstance(config, SmtpConfig)
    return SmtpConnector(config)


def test_the_name_of_this_machine_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections are opened: where DNS does not answer, each would be held up by it."""
    asked: list[str] = []
    monkeypatch.setattr(socket, "getfqdn", lambda: asked.append("it") or "sender.example.org")
    monkeypatch.setattr(smtp_connect, "_names", [])
    names = {connector().prepared()[0] for _ in range(5)}
    assert (names, len(asked)) == ({"sender.example.org"}, 1)


def test_a_name_without_a_domain_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS may not have been there yet when the first connection was opened."""
    answers = iter(["sender", "sender.example.org"])
    monkeypatch.setattr(socket, "getfqdn", lambda: next(answers))
    monkeypatch.setattr(smtp_connect, "_names", [])
    assert [connector().prepared()[0] for _ in range(3)] == ["sender", "sender.example.org", "sender.example.org"]


def test_a_configured_name_is_used_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the relay's administrator who knows by which name we are let in."""
    monkeypatch.setattr(socket, "getfqdn", lambda: pytest.fail("asked"))
    monkeypatch.setattr(smtp_connect, "_names", [])
    assert connector(local_hostname="mail.example.org").prepared()[0] == "mail.example.org"
