"""How clients get in: the settings that say it, and that no client is made without them."""

import ast
import ssl
from pathlib import Path

import pytest
from aiokafka.errors import NodeNotReadyError
from pydantic import ValidationError

import outreach_stream
from outreach_stream.broker.access import access_by, in_clear
from outreach_stream.broker.errors import AccessSettingError
from outreach_stream.broker.refusals import refusal
from outreach_stream.settings import Settings
from outreach_stream.values import SecretRef
from tests.kafka.secured import Authority

CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaClient", "AIOKafkaAdminClient", "create_conn"}
BROKERS = "kafka-1.example.com:9093,kafka-2.example.com:9093"


def test_no_client_is_made_without_the_access() -> None:
    """Whoever adds one and forgets `**kafka_access()` would find a secured cluster closed, and nothing else."""
    made, forgot = 0, []
    for file in Path(outreach_stream.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLIENTS:
                made += 1
                spread = [ast.unparse(each.value) for each in node.keywords if each.arg is None]
                if not {"kafka_access()", "access"} & set(spread):
                    forgot.append(f"{file}:{node.lineno}")

    assert made >= 9
    assert forgot == []


def settings(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"OUTREACH_{name}", value)
    return Settings()


def test_a_laptop_needs_nothing() -> None:
    """Without a word on security clients are made as ever."""
    assert access_by(Settings()) == {}


def test_a_login_is_read_anew_for_each_client(monkeypatch, tmp_path) -> None:
    """A password that was changed in its file is the next client's; upper and lower case are as one."""
    password = tmp_path / "password"
    password.write_text("old\n")
    told = settings(monkeypatch, KAFKA_BOOTSTRAP=BROKERS, KAFKA_SECURITY="SASL_SSL", KAFKA_USERNAME="outreach",
                    KAFKA_PASSWORD=f"file:{password}", KAFKA_SASL_MECHANISM="scram-sha-256")
    first = access_by(told)
    password.write_text("new\n")

    assert (first["sasl_plain_password"], access_by(told)["sasl_plain_password"]) == ("old", "new")
    assert (first["security_protocol"], first["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-256")
    assert first["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert first["ssl_context"].check_hostname


@pytest.mark.parametrize(("values", "at", "words"), [
    ({"KAFKA_SECURITY": "ssl"}, "kafka_security", "ssl needs OUTREACH_KAFKA_BOOTSTRAP=host:port"),
    ({"KAFKA_SECURITY": "tls", "KAFKA_BOOTSTRAP": BROKERS}, "kafka_security", "'plaintext', 'ssl', 'sasl_plain"),
    ({"KAFKA_SECURITY": "sasl_ssl", "KAFKA_BOOTSTRAP": BROKERS}, "kafka_username", "is missing.*Write a user's name"),
    ({"KAFKA_SECURITY": "sasl_ssl", "KAFKA_BOOTSTRAP": BROKERS}, "kafka_password", "is missing.*Write env:NAME or"),
    ({"KAFKA_USERNAME": "outreach"}, "kafka_username", "is not used with OUTREACH_KAFKA_SECURITY=plaintext"),
    ({"KAFKA_PASSWORD": "hunter2"}, "kafka_password", 'write "env:NAME"'),
    ({"KAFKA_CA": "/etc/ssl/ca.pem"}, "kafka_ca", "is not used with OUTREACH_KAFKA_SECURITY=plaintext: write ssl or"),
    ({"KAFKA_SECURITY": "ssl", "KAFKA_BOOTSTRAP": BROKERS, "KAFKA_CA": "/no/ca.pem"}, "kafka_ca",
     "must be a PEM file: there is none at /no/ca.pem"),
    ({"KAFKA_SECURITY": "ssl", "KAFKA_BOOTSTRAP": BROKERS, "KAFKA_CERTIFICATE": __file__}, "kafka_key",
     "OUTREACH_KAFKA_KEY is not set"),
    ({"KAFKA_SECURITY": "ssl", "KAFKA_BOOTSTRAP": BROKERS, "KAFKA_KEY": __file__}, "kafka_key",
     "OUTREACH_KAFKA_CERTIFICATE is not set"),
    ({"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "kafka_sasl_mechanism", "SCRAM-SHA-512"),
    ({"REPLICATION": "2", "MIN_INSYNC": "3"}, "min_insync", "must not be more than OUTREACH_REPLICATION, which is 2"),
])
def test_settings_that_do_not_go_together_say_what_to_write(monkeypatch, values, at, words) -> None:
    """At the start, under the name of the one that is to be changed; a password given in plain is not repeated."""
    with pytest.raises(ValidationError, match=rf"(?s)\n{at}\n.*{words}") as refused:
        settings(monkeypatch, **values)

    assert "hunter2" not in "".join(each["msg"] for each in refused.value.errors())


def test_files_that_are_no_certificates_are_named(monkeypatch, tmp_path) -> None:
    """Something else than PEM, a key of another certificate, and a password that cannot be read."""
    authority = Authority(tmp_path, "authority")
    certificate, (_, other_key) = authority.certificate("ours")[0], authority.certificate("other")
    tls = Settings(kafka_bootstrap=BROKERS, kafka_security="ssl")
    with pytest.raises(AccessSettingError, match="OUTREACH_KAFKA_CA: no certificates in PEM"):
        access_by(tls.model_copy(update={"kafka_ca": Path(__file__)}))
    with pytest.raises(AccessSettingError, match=r"_CERTIFICATE, OUTREACH_KAFKA_KEY: .* \(key values mismatch\)"):
        access_by(tls.model_copy(update={"kafka_certificate": certificate, "kafka_key": other_key}))
    with pytest.raises(AccessSettingError, match="OUTREACH_KAFKA_PASSWORD: secret file /no/password cannot be read"):
        access_by(tls.model_copy(update={"kafka_security": "sasl_plaintext", "kafka_username": "outreach",
                                         "kafka_password": SecretRef("file:/no/password")}))


@pytest.mark.parametrize(("bootstrap", "clear"), [
    ("127.0.0.1:9092", False), ("localhost:9092,[::1]:9093", False), ("127.0.0.1:9092,kafka.example.com:9092", True)])
def test_a_login_that_others_can_read_is_noticed(bootstrap, clear) -> None:
    """Only what stays on this machine may go without encryption."""
    told = Settings.model_construct(kafka_security="sasl_plaintext")

    assert in_clear(told, bootstrap) is clear
    assert not in_clear(Settings.model_construct(kafka_security="sasl_ssl"), bootstrap)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError(), NodeNotReadyError(), ssl.SSLEOFError()])
def test_a_broker_that_is_away_is_no_refusal(error) -> None:
    """It may be back in a moment: it is waited for."""
    assert refusal(error, "kafka:9093", Settings.model_construct(kafka_security="ssl")) is None
