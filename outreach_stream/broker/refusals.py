"""What to tell somebody whom a broker does not let in: pure, from the error to the settings to look at."""

import asyncio
import ssl

from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from outreach_stream.kafka_settings import KafkaSettings

_ALERT = 0x1503
"""How a TLS alert begins ([RFC 8446](https://www.rfc-editor.org/rfc/rfc8446#section-5.1): type 21, version 3.x), where
Kafka's protocol has the length of an answer."""


def refusal(error: BaseException, address: str, settings: KafkaSettings) -> str | None:
    """What an `error` says that shows that the broker at `address` does not let us in; None: it shows no such thing.

    The words name the variables that are to be looked at, and never the password.
    """
    if isinstance(error, KafkaConnectionError) and error.__cause__:     # it came while an answer was waited for
        error = error.__cause__
    if isinstance(error, ssl.SSLError):
        return _by_tls(error, address, settings)
    if isinstance(error, asyncio.IncompleteReadError) and (error.expected or 0) >> 16 == _ALERT:
        return (f"Kafka at {address} speaks TLS, and was spoken to without.\n"
                f"OUTREACH_KAFKA_SECURITY is {settings.kafka_security}: write ssl or sasl_ssl.")
    return _by_login(error, address, settings)


def _by_tls(error: ssl.SSLError, address: str, settings: KafkaSettings) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        trusted = settings.kafka_ca or "what the system trusts"
        return (f"The certificate of Kafka at {address} is not accepted: {error.verify_message}.\n"
                f"OUTREACH_KAFKA_CA must name the certificate of who signed it (now: {trusted}), and "
                "OUTREACH_KAFKA_BOOTSTRAP a host as it stands in it.")
    if isinstance(error, ssl.SSLEOFError):      # it went away, as it does when it stops
        return None
    if "ALERT" in (error.reason or ""):         # said by the broker, of what we have shown it
        return (f"Kafka at {address} refuses our certificate ({reason(error)}).\nOUTREACH_KAFKA_CERTIFICATE "
                f"({settings.kafka_certificate or 'not set'}) must be signed by who the broker trusts.")
    return (f"Kafka at {address} does not speak TLS ({reason(error)}).\n"
            f"OUTREACH_KAFKA_SECURITY is {settings.kafka_security}: is it right for this port?")


def _by_login(error: BaseException, address: str, settings: KafkaSettings) -> str | None:
    user, mechanism = settings.kafka_username, settings.kafka_sasl_mechanism
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (f"Kafka at {address} refuses the login of {user} by {mechanism}: {reason(error)}.\n"
                    f"OUTREACH_KAFKA_USERNAME, OUTREACH_KAFKA_PASSWORD ({settings.kafka_password}) and "
                    "OUTREACH_KAFKA_SASL_MECHANISM must be as the brokers know them.")
        case UnsupportedSaslMechanismError():
            return f"Kafka at {address} does not offer OUTREACH_KAFKA_SASL_MECHANISM={mechanism}."
        case IllegalSaslStateError():
            return (f"Kafka at {address} asks for no login at this port.\n"
                    f"OUTREACH_KAFKA_SECURITY is {settings.kafka_security}: is it right for this port?")
        case _:
            return None


def reason(error: BaseException) -> str:
    """A library's words in one line, without its own names and places in its source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return " ".join(str(error.args[0] if error.args else error).split())
