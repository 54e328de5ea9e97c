"""Failures that all engines share: what a lost, silent or untrusted connection means for the mail."""

import ssl
from collections.abc import Callable, Mapping
from typing import Any

from outreach_stream.domain.outcomes import EngineStopped, InDoubt, Outcome, Transient
from outreach_stream.values import UnresolvedReference

type Translate = Callable[[str, bool, Any], Outcome]
"""From (phase, whether the message had been handed over, the error) to what it means."""


class MalformedReply(ConnectionError):  # noqa: N818 - named as it is said
    """The other side said something that is no reply, or spoke unasked: the two are out of step."""


class MisconfiguredEngine(Exception):  # noqa: N818
    """What the configuration asks for cannot be done, here or with this server."""


def lost(reason: str) -> Translate:
    """The connection failed: in doubt if the message had been handed over, since only the answer is missing then."""
    def translate(phase: str, handed_over: bool, error: BaseException) -> Outcome:
        kind = InDoubt if handed_over else Transient
        return kind(f"{phase}_{reason}", f"{type(error).__name__}: {error}")
    return translate


def stopped(reason: str) -> Translate:
    """A person must mend it, and nobody's mail goes until then."""
    return lambda phase, _, error: EngineStopped(f"{phase}_{reason}", str(error))


NETWORK: dict[type[BaseException], Translate] = {
    TimeoutError: lost("timeout"),
    MalformedReply: lost("malformed_reply"),
    ConnectionError: lost("connection_lost"),
    OSError: lost("network_error"),  # no route, name not found: passing, as a rule
    # A certificate does not become trusted by trying again, and nobody should be mailed through a stranger.
    ssl.SSLCertVerificationError: stopped("certificate_not_trusted"),
    ssl.SSLError: lost("tls_failed"),
    UnresolvedReference: stopped("missing_secret"),
    MisconfiguredEngine: stopped("misconfigured"),
    # Values that a library refuses before it sends them; a codec's words may quote a password.
    ValueError: stopped("misconfigured"),
    UnicodeError: lambda phase, _, __: EngineStopped(f"{phase}_misconfigured", "a host, a name or a secret is unfit"),
}
"""The nearest ancestor decides."""


def network_failure(phase: str, error: BaseException, *, handed_over: bool) -> Outcome:
    """What `error`, met in `phase`, means for the mail. Raises `error` again if it is a bug."""
    return nearest(NETWORK, error)(phase, handed_over, error)


def nearest[T](table: Mapping[type[BaseException], T], error: BaseException) -> T:
    """The entry of the error's nearest ancestor; raises `error` again if the table has none: it is a bug."""
    for kind in type(error).__mro__:
        if found := table.get(kind):
            return found
    raise error


def advised(words: str, *advice: str) -> str:
    """A provider's words, and what to do about them, as sentences; what is empty is left out."""
    return ". ".join(filter(None, (words.rstrip(". "), *advice)))


def tls_context(ca_file: str | None, *, verify: bool) -> ssl.SSLContext:
    """Trusts the system's authorities, or those in the PEM file alone. Blocks while it reads files, some 10 ms.

    Raises `MisconfiguredEngine`.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise MisconfiguredEngine(f"ca_file cannot be used: {type(error).__name__}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
