"""What a catalog may say about SMTP, and what is said to those who write something else."""

import pytest
from pydantic import ValidationError

from outreach_stream.engines.config import NOT_VERIFIED
from outreach_stream.engines.smtp_config import SmtpConfig

RELAY = {"id": "relay", "kind": "smtp", "host": "smtp.example.com"}
LOGIN = {"username": "robot", "password": "env:P"}
TWO = {"id": "relay", "kind": "smtp", "relays": [{"host": "a.example"}, {"host": "b.example", "port": 25, "weight": 3}]}
KEY = {"domain": "S.Example", "selector": "mail2026", "key": "env:K"}


def test_one_relay_is_the_short_form():
    """host and port are a list of one."""
    (relay,) = SmtpConfig.model_validate(RELAY | {"port": 2525}).every_relay
    assert (relay.address(), relay.weight) == (("smtp.example.com", 2525), 1)


def test_several_relays_each_have_an_address():
    """With the usual port and weight where none is given; `env:` is looked up when it is needed."""
    relays = SmtpConfig.model_validate(TWO).every_relay
    assert [(*relay.address(), relay.weight) for relay in relays] == [("a.example", 587, 1), ("b.example", 25, 3)]


def test_an_address_may_be_a_variable(monkeypatch):
    """Host and port differ from machine to machine."""
    monkeypatch.setenv("H", "c.example")
    monkeypatch.setenv("N", "2526")
    (relay,) = SmtpConfig.model_validate({**TWO, "relays": [{"host": "env:H", "port": "env:N"}]}).every_relay
    assert relay.address() == ("c.example", 2526)


@pytest.mark.parametrize("written", [KEY, [KEY]])
def test_one_dkim_key_needs_no_list(written):
    """A mapping is a list of one; names are compared in lower case."""
    (key,) = SmtpConfig.model_validate(RELAY | {"dkim": written}).dkim
    assert (key.domain, key.selector, str(key.key)) == ("s.example", "mail2026", "env:K")


WRONG = {
    "neither": ({"id": "x", "kind": "smtp"}, "host is missing"),
    "no relays": ({"id": "x", "kind": "smtp", "relays": []}, "host is missing"),
    "both": (TWO | {"host": "c.example"}, "give one of both"),
    "a port beside relays": (TWO | {"port": 25}, "give one of both"),
    "weight 0": ({**TWO, "relays": [{"host": "a", "weight": 0}]}, "greater than or equal to 1"),
    "weight 101": ({**TWO, "relays": [{"host": "a", "weight": 101}]}, "less than or equal to 100"),
    "a relay with a password": ({**TWO, "relays": [{"host": "a", "password": "env:P"}]}, "Extra inputs"),
    "port 0": ({**TWO, "relays": [{"host": "a", "port": 0}]}, "1 to 65535"),
    "half a login": (RELAY | {"username": "robot"}, "go together"),
    "auth without login": (RELAY | {"auth": "xoauth2"}, "needs username and password"),
    "cram-md5": (RELAY | LOGIN | {"auth": "cram-md5"}, "'auto', 'plain', 'login' or 'xoauth2'"),
    "in clear": (RELAY | LOGIN | {"security": "none"}, "must not travel in clear"),
    "in clear to one": ({"id": "x", "kind": "smtp", "security": "none", **LOGIN,
                         "relays": [{"host": "localhost"}, {"host": "a.example"}]}, "must not travel in clear"),
    "a token in clear": (RELAY | LOGIN | {"security": "none", "auth": "xoauth2"}, "must not travel in clear"),
    "in clear to who knows": (RELAY | LOGIN | {"security": "none", "host": "env:H"}, "must not travel in clear"),
    "a password itself": (RELAY | LOGIN | {"password": "s3cret"}, "must not be a plain secret"),
    "a key itself": (RELAY | {"dkim": KEY | {"key": "-----BEGIN s3cret"}}, "must not be a plain secret"),
    "a domain with a path": (RELAY | {"dkim": KEY | {"domain": "s.example/x"}}, "a name as the DNS has it"),
    "an international domain": (RELAY | {"dkim": KEY | {"domain": "grün.example"}}, "xn--"),
    "no domain": (RELAY | {"dkim": KEY | {"domain": "localhost"}}, "must be a domain"),
    "a selector that ends the field": (RELAY | {"dkim": KEY | {"selector": "a;\r\n b"}}, "a name as the DNS has it"),
    "no selector": (RELAY | {"dkim": {"domain": "s.example", "key": "env:K"}}, "Field required"),
}


@pytest.mark.parametrize(("data", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told(data, words):
    """With what to write instead, and without the value, which may be a secret."""
    with pytest.raises(ValidationError) as raised:
        SmtpConfig.model_validate(data)
    assert words in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(("changes", "words"), [
    ({}, []), ({"verify_certificates": False}, [NOT_VERIFIED]),
    ({"security": "none", "host": "127.0.0.1"}, []), ({"security": "none", "host": "localhost"}, []),
    ({"security": "none"}, ["in clear to smtp.example.com"]),
    ({"security": "none", "host": "env:HERE"}, []), ({"security": "none", "host": "env:FAR"}, ["clear to far.example"]),
    ({"security": "none", "host": "env:UNSET"}, []),
    ({"security": "none", "verify_certificates": False, "host": "::1"}, []),
    ({"dkim": KEY}, []),
    ({"dkim": KEY, "host": "email-smtp.eu-central-1.amazonaws.com"}, ["let SES sign"]),
])
def test_what_should_not_be_left_so_is_a_warning(monkeypatch, changes, words):
    """Certificates nobody looks at, mails in clear to another machine, signatures that a relay breaks."""
    monkeypatch.setenv("HERE", "127.0.0.1")
    monkeypatch.setenv("FAR", "far.example")
    monkeypatch.delenv("UNSET", raising=False)
    warnings = SmtpConfig.model_validate(RELAY | changes).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_every_relay_in_clear_is_named():
    """One line for all of them."""
    (warning,) = SmtpConfig.model_validate(TWO | {"security": "none"}).warnings
    assert "a.example, b.example" in warning
