"""Exceptions and what they mean."""

import errno
import socket
import ssl

import aiosmtplib
import aiosmtplib.errors
import pytest

from outreach_stream.domain.outcomes import EngineStopped, InDoubt, Outcome, RecipientRejected, Transient
from outreach_stream.engines.failures import MalformedReply
from outreach_stream.engines.smtp_errors import TRANSLATIONS, failure
from outreach_stream.engines.smtp_replies import Phase


def test_every_exception_of_aiosmtplib_is_translated():
    """When the library grows an exception, somebody must say what it means before we ship."""
    grown = {getattr(aiosmtplib.errors, name) for name in aiosmtplib.errors.__all__} - set(TRANSLATIONS)
    assert grown == set()


NETWORK = [TimeoutError(), ConnectionResetError(), BrokenPipeError(), MalformedReply("?"),
           OSError(errno.EHOSTUNREACH, ""),
           socket.gaierror(-2, "unknown"), ssl.SSLError(1, "record layer"), ssl.SSLEOFError(8, "eof"),
           aiosmtplib.SMTPServerDisconnected("lost"), aiosmtplib.SMTPReadTimeoutError("slow")]


@pytest.mark.parametrize("error", NETWORK, ids=repr)
@pytest.mark.parametrize("phase", Phase)
def test_a_failing_network_is_in_doubt_exactly_after_the_dot(phase, error):
    """Before the final dot nothing was accepted; after it nobody knows."""
    assert type(failure(phase, error)) is (InDoubt if phase is Phase.DOT else Transient)


@pytest.mark.parametrize(("error", "expected"), [
    (aiosmtplib.SMTPAuthenticationError(535, "5.7.8 no"), EngineStopped),
    (aiosmtplib.SMTPAuthenticationError(454, "4.7.0 later"), Transient),
    (aiosmtplib.SMTPConnectResponseError(554, "go away"), EngineStopped),
    (aiosmtplib.SMTPConnectResponseError(-1, "HTTP/1.1 400"), Transient),
    (aiosmtplib.SMTPHeloError(501, "who?"), EngineStopped),
    (aiosmtplib.SMTPRecipientsRefused([aiosmtplib.SMTPRecipientRefused(550, "5.1.1 no", "x")]), RecipientRejected),
    (ssl.SSLCertVerificationError(1, "self-signed"), EngineStopped),
    (UnicodeEncodeError("ascii", "ü", 0, 1, "no"), EngineStopped),
    (ValueError("The local_hostname param contains whitespace"), EngineStopped),
])
def test_what_stops_the_engine_and_what_does_not(error: Exception, expected: type[Outcome]):
    """What only a person can repair stops the engine; what may pass is tried again."""
    assert type(failure(Phase.AUTH, error)) is expected


def test_the_cause_of_a_failed_connect_is_looked_at():
    """aiosmtplib wraps TLS failures in a connect error: the certificate still stops the engine."""
    error = aiosmtplib.SMTPConnectError("no")
    error.__cause__ = ssl.SSLCertVerificationError(1, "expired")
    assert type(failure(Phase.CONNECT, error)) is EngineStopped


def test_a_bug_stays_a_bug():
    """What is no network failure is not swallowed."""
    with pytest.raises(ZeroDivisionError):
        failure(Phase.DOT, ZeroDivisionError())
