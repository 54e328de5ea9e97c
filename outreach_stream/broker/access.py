"""How clients get in: what each of them is made with.

Every client of Kafka in this package is made as `AIOKafkaConsumer(…, **kafka_access())`; a test looks after it.
"""

import ssl
from functools import cache
from pathlib import Path
from typing import Any

from outreach_stream.broker.errors import AccessSettingError
from outreach_stream.broker.refusals import reason
from outreach_stream.kafka_settings import KafkaSettings
from outreach_stream.settings import is_loopback, load_settings
from outreach_stream.values import UnresolvedReference


def kafka_access() -> dict[str, Any]:
    """Keyword arguments of every client of Kafka, by this process's settings; none for plaintext.

    A password is read anew at each call; a client keeps what it was made with, also when it connects again. Raises
    `AccessSettingError` for a password or a PEM file that cannot be read.
    """
    return access_by(load_settings())


def access_by(settings: KafkaSettings) -> dict[str, Any]:
    """The same, by the given settings. Certificates are read once in a process's life."""
    if settings.kafka_security == "plaintext":
        return {}
    access: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    if settings.kafka_tls:
        access["ssl_context"] = _context(settings.kafka_ca, settings.kafka_certificate, settings.kafka_key)
    if settings.kafka_login and settings.kafka_password:
        try:
            password = settings.kafka_password.resolve()
        except UnresolvedReference as error:
            raise AccessSettingError(f"OUTREACH_KAFKA_PASSWORD: {error}") from error
        access |= {"sasl_mechanism": settings.kafka_sasl_mechanism, "sasl_plain_username": settings.kafka_username,
                   "sasl_plain_password": password}
    return access


@cache
def _context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """TLS that checks the broker's certificate and its name, which there is no way to turn off."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise AccessSettingError(f"OUTREACH_KAFKA_CA: no certificates in PEM can be read from {ca} "
                                 f"({reason(error)})") from error
    if certificate:
        try:
            context.load_cert_chain(certificate, key, password=_no_passphrase)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise AccessSettingError(f"OUTREACH_KAFKA_CERTIFICATE, OUTREACH_KAFKA_KEY: {certificate} and {key} are no "
                                     f"certificate in PEM and its key ({reason(error)})") from error
    return context


def _no_passphrase() -> str:
    """Asked for one, OpenSSL would read it from the terminal."""
    raise ValueError("the key must not have a passphrase")


def in_clear(settings: KafkaSettings, bootstrap: str) -> bool:
    """Whether a login goes to another machine without encryption, for everybody on the way to read or to use."""
    hosts = [each.rpartition(":")[0].strip("[] ") for each in bootstrap.split(",")]
    return settings.kafka_security == "sasl_plaintext" and not all(map(is_loopback, hosts))
