"""What the configurations of HTTP engines have in common."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from outreach_stream.engines.config import LOOPBACK, NOT_VERIFIED, EngineConfig, looked_up
from outreach_stream.values import ENVIRONMENT_REFERENCE, Duration, Strict, UnresolvedReference

_VISIBLE = re.compile(r"[!-~]+")


class HttpConnections(Strict):
    """How long one connection is used."""

    max_messages: int = Field(default=1_000, ge=1)
    """Mails on one connection before a new one is opened."""
    idle: Duration = "15s"  # type: ignore[assignment]
    """Seconds without a mail after which it is closed. Shorter than any provider's own limit: a connection that the
    provider closes in the moment in which a mail is handed over leaves that mail in doubt."""


class HttpTimeouts(Strict):
    """Seconds to wait for the provider, by phase."""

    connect: Duration = Field(default="15s", gt=0)  # type: ignore[assignment]
    """TCP and TLS, and what is asked before the first mail, together."""
    answer: Duration = Field(default="60s", gt=0)  # type: ignore[assignment]
    """From the request to the end of its answer. Shorter makes mails doubtful."""


def origin_problem(url: str) -> str | None:
    """What is wrong with the address of an API: it is a scheme and a host, https unless it is this machine."""
    try:
        parts = urlsplit(url)
        whole = _VISIBLE.fullmatch(url) and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ("https", "http") or parts.query or parts.fragment or "@" in parts.netloc:
        return "must look like https://api.example.com"
    if parts.path not in ("", "/"):
        return "must be a scheme and a host only, without a path"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return "must be https://: a key must not travel in clear (http:// is for this machine only)"
    return None


def _check_base_url(url: str) -> str:
    if not ENVIRONMENT_REFERENCE.fullmatch(url) and (problem := origin_problem(url)):
        raise ValueError(problem)
    return url


class HttpConfig(EngineConfig):
    """An engine that is reached by HTTPS."""

    base_url: Annotated[str, AfterValidator(_check_base_url)] | None = None
    """Where the API is, if not at the provider's usual place (a proxy, a stand-in): `https://host`, or `env:NAME`."""
    verify_certificates: bool = True
    """Whether the other side must prove who it is; no is told at every start and check."""
    ca_file: str | None = None
    """PEM file of a private certificate authority; None: the system's."""
    connections: HttpConnections = HttpConnections()
    timeouts: HttpTimeouts = HttpTimeouts()

    @property
    def usual_url(self) -> str:
        """Where the provider's API is, by region."""
        raise NotImplementedError

    @property
    def warnings(self) -> tuple[str, ...]:
        """Certificates that are not verified."""
        return () if self.verify_certificates else (NOT_VERIFIED,)

    def origin(self) -> "Origin":
        """Where the API is, `env:` looked up; raises `UnresolvedReference`."""
        url = looked_up(self.base_url or self.usual_url)
        if problem := origin_problem(url):
            raise UnresolvedReference(f"{self.base_url}: {problem}")
        return Origin(url)


class Origin:
    """Scheme, host and port of an API."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.tls = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.header = parts.netloc
        """What the Host header says."""
