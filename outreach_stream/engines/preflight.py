"""What the preflights of all kinds of engine share: reaching a host, looking at its certificate, words for failures."""

import asyncio
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from typing import Literal

from cryptography import x509

from outreach_stream.domain.outcomes import EngineStopped, Failure, InDoubt, Throttled, Transient
from outreach_stream.domain.ports import Finding

type Step = Literal["settings", "dns", "connect", "tls", "login", "quota", "sender", "mail"]

_SHOWN = 3
"""Addresses of a host that are told."""
_SOON = 14.0
"""Days before a certificate's end from which it is worth a word: those that renew themselves have done so by then."""
_DAY = 86_400.0


async def reach(host: str, port: int, seconds: float) -> AsyncIterator[Finding]:
    """Whether the host's name is known and its port answers: a finding for each, none after a bad one.

    Each takes at most `seconds`. What it opens it closes, with nothing said. Raises nothing for what a network can do.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        yield Finding("dns", False, f"{host} has no address: {_words(error, seconds)}. Check its spelling, and the "
                                    "name server of this machine")
        return
    yield Finding("dns", True, f"{host} {_addresses(host, [entry[4][0] for entry in found])}")
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
    except OSError as error:
        yield Finding("connect", False, f"{host} port {port}: {_words(error, seconds)}. Check the port, and whether a "
                                        "firewall lets this machine reach it")
        return
    transport.abort()
    yield Finding("connect", True, f"{host} port {port} answers")


def tls_finding(ssl_object: ssl.SSLObject, now: float | None = None) -> Finding:
    """What protects a connection that stands: the version of TLS, and how long the certificate is good for.

    Bad when the certificate has expired, which only an unverified connection lets happen; neither good nor bad when it
    is about to, or is not verified. `now` is in seconds since the epoch; None: the present.
    """
    der = ssl_object.getpeercert(binary_form=True)
    assert der is not None, "a server always shows a certificate"
    certificate = x509.load_der_x509_certificate(der)
    days = (certificate.not_valid_after_utc.timestamp() - (time.time() if now is None else now)) / _DAY
    verified = ssl_object.context.verify_mode is ssl.CERT_REQUIRED
    said = f"{ssl_object.version()}, the certificate is {'' if verified else 'NOT '}verified"
    if days < 0:
        return Finding("tls", False, f"{said} and expired {-days:.0f} days ago: renew it")
    return Finding("tls", True if verified and days >= _SOON else None, f"{said} and good for {days:.0f} days")


_CERTIFICATE = {
    "has expired": "Renew the server's certificate, or ask whoever runs it to; also look at this machine's clock",
    "not yet valid": "Look at this machine's clock: the certificate is of a time to come",
    "mismatch": "Give the host by the name that its certificate has; an address, or another name, is not enough",
}
"""What to do about a certificate, by OpenSSL's words (`ssl.SSLCertVerificationError.verify_message`)."""
_PLAINTEXT = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")
"""What OpenSSL calls first bytes that are no TLS."""

_ADVICE = {
    "certificate_not_trusted": "Give ca_file the authority that signed it, if that is a private one",
    "tls_failed": "Check whether the port speaks TLS from the first byte, and which versions the other side allows",
    "missing_secret": "Set it for this process, or correct the reference",
    "timeout": "Nothing came in time: check the port, and whether a firewall lets this machine reach it",
    "connection_lost": "The other side hung up: check host and port, and whether it lets this machine in",
    "network_error": "Check host and port",
    "malformed_reply": "Check whether the port speaks this protocol",
}
"""What to do, by how a reason ends."""


def begins_in_clear(failure: Failure) -> bool:
    """Whether TLS was spoken to a port that does not begin with it."""
    return failure.reason.endswith("tls_failed") and any(word in failure.detail for word in _PLAINTEXT)


def of_failure(step: Step, failure: Failure, advice: str | None = None) -> Finding:
    """A bad finding from an outcome: its reason, the other side's (masked) words, and what to do.

    `advice` of a kind that knows better what to do; None: what is good for all.
    """
    what = failure.reason + (f": {failure.detail.rstrip('. :')}" if failure.detail else "")
    return Finding(step, False, f"{what}. {advice or _advice(failure)}")


def _known(failure: Failure) -> str | None:
    if failure.reason.endswith("certificate_not_trusted"):
        for words, advice in _CERTIFICATE.items():
            if words in failure.detail:
                return advice
    return next((advice for ending, advice in _ADVICE.items() if failure.reason.endswith(ending)), None)


def _advice(failure: Failure) -> str:
    if known := _known(failure):
        return known
    match failure:
        case Throttled(retry_after=None):
            return "The provider asks for less: try again later"
        case Throttled(retry_after=seconds):
            return f"The provider asks for less: try again in {seconds:.0f} s"
        case EngineStopped():
            return "Nothing will be sent until somebody mends this"
        case Transient() | InDoubt():
            return "It may pass: try again"
        case _:
            return "The provider will refuse mails like this one"


def _words(error: BaseException, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own words repeat the address
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _addresses(host: str, found: list[str | int]) -> str:
    unique = list(dict.fromkeys(map(str, found)))
    if unique == [host]:
        return "is an address"
    more = len(unique) - _SHOWN
    return f"is {', '.join(unique[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")
