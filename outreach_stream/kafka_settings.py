"""How Kafka is reached: the settings of `settings.Settings` that belong together, and what they demand of one another.

A wrong one is refused at the start, by its own name, with what to write.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from outreach_stream.values import SecretRef

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]


def _lower(value: object) -> object:
    """Kafka's own documents write SASL_SSL."""
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class KafkaSettings(BaseSettings):
    """Address, encryption and login."""

    kafka_bootstrap: str | None = Field(None, description="Brokers, `host:port,…`. Unset: the embedded one")
    kafka_security: Annotated[Security, BeforeValidator(_lower)] = Field(
        "plaintext", description="How brokers are spoken to: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`")
    kafka_sasl_mechanism: Annotated[Mechanism, BeforeValidator(_upper)] = Field(
        "SCRAM-SHA-512", description="How a login is proved: `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`")
    kafka_username: str | None = Field(None, description="User of `sasl_plaintext` and `sasl_ssl`")
    kafka_password: SecretRef | None = Field(
        None, description="Password of that user, by reference: `env:NAME` or `file:PATH`")
    kafka_ca: Path | None = Field(
        None, description="PEM file of certificates that may sign a broker's. Unset: those that the system trusts")
    kafka_certificate: Path | None = Field(
        None, description="PEM file of our own certificate and its chain, where brokers ask for one (mTLS)")
    kafka_key: Path | None = Field(None, description="PEM file of the certificate's private key, without a passphrase")

    @property
    def kafka_tls(self) -> bool:
        """Whether brokers are spoken to over TLS."""
        return self.kafka_security in ("ssl", "sasl_ssl")

    @property
    def kafka_login(self) -> bool:
        """Whether brokers ask for a user and a password."""
        return self.kafka_security in ("sasl_plaintext", "sasl_ssl")

    @field_validator("kafka_security")
    @classmethod
    def _has_brokers(cls, value: Security, info: ValidationInfo) -> Security:
        if value != "plaintext" and not (info.data.get("kafka_bootstrap") or "").strip():
            raise ValueError(f"{value} needs OUTREACH_KAFKA_BOOTSTRAP=host:port: the embedded Kafka, which is used "
                             "without it, is reached from this machine only, in plaintext")
        return value

    @field_validator("kafka_username", "kafka_password")
    @classmethod
    def _goes_with_sasl(cls, value: Any, info: ValidationInfo) -> Any:
        security = info.data.get("kafka_security")
        if security in ("sasl_plaintext", "sasl_ssl") and not value:
            written = "a user's name" if info.field_name == "kafka_username" else "env:NAME or file:PATH"
            raise ValueError(f"is missing: OUTREACH_KAFKA_SECURITY={security} logs in with it. Write {written}")
        if security in ("plaintext", "ssl") and value:
            raise ValueError(f"is not used with OUTREACH_KAFKA_SECURITY={security}: write sasl_ssl there, or unset "
                             "this one")
        return value

    @field_validator("kafka_ca", "kafka_certificate", "kafka_key")
    @classmethod
    def _goes_with_tls(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        security = info.data.get("kafka_security")
        if value and security in ("plaintext", "sasl_plaintext"):
            raise ValueError(f"is not used with OUTREACH_KAFKA_SECURITY={security}: write ssl or sasl_ssl there, or "
                             "unset this one")
        if value and not value.is_file():
            raise ValueError(f"must be a PEM file: there is none at {value}")
        return value

    @field_validator("kafka_key")
    @classmethod
    def _goes_with_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if "kafka_certificate" in info.data and bool(value) != bool(info.data["kafka_certificate"]):
            missing = "OUTREACH_KAFKA_CERTIFICATE" if value else "OUTREACH_KAFKA_KEY"
            raise ValueError(f"a certificate and its key go together: {missing} is not set")
        return value
