"""What a catalog may say about an engine: pure configuration; the engines themselves live in `engines/`."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from outreach_stream.catalog.values import (
    Duration,
    Identifier,
    Line,
    SecretRef,
    UnresolvedReference,
    read_environment,
)

_PORTS = range(1, 65_536)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Strict(BaseModel):
    """Frozen, refuses unknown fields, and never repeats a refused value (it may be a secret)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True,
                              validate_default=True)


class EngineLimits(Strict):
    """What every kind of engine has: an id and its limits."""

    id: Identifier
    rate: float | None = Field(default=None, gt=0, le=100_000)
    """Mails per second over all workers; None: unlimited."""
    burst: float | None = Field(default=None, ge=1)
    """Mails that may go at once above the rate; None: a tenth of the rate, at least 1."""
    hourly: int | None = Field(default=None, ge=1)
    """Mails in any hour over all workers, beside the rate; None: no cap. Each lane has its share of it."""
    daily: int | None = Field(default=None, ge=1)
    """Mails in any 24 hours over all workers; None: no cap."""
    concurrency: int = Field(default=10, ge=1, le=1_000)
    """Attempts in flight per process; for SMTP the connections."""
    lanes: int | None = Field(default=None, ge=1, le=1_024)
    """Lanes its mails are spread over; None: as many as the layout has. Fewer for a very slow engine."""

    @property
    def effective_burst(self) -> float | None:
        """Mails that may go at once; None only when the rate is unlimited."""
        if self.rate is None:
            return None
        return self.burst if self.burst is not None else max(1.0, self.rate / 10)


class SmtpConnections(Strict):
    """How long one connection is used."""

    max_messages: int = Field(default=100, ge=1)
    """Mails on one connection before a new one is opened: big providers close it after 20 to 100."""
    idle: Duration = "30s"  # type: ignore[assignment]  # defaults are validated as they stand in a file
    """Seconds without a mail after which it is closed: servers drop idle ones after 15 to 60 s."""


class SmtpTimeouts(Strict):
    """Seconds to wait for the server, by phase."""

    connect: Duration = "15s"  # type: ignore[assignment]
    """TCP, TLS, greeting and login, together."""
    command: Duration = "60s"  # type: ignore[assignment]
    """Each reply before the message is handed over, and each 64 KiB of the message."""
    data: Duration = "10m"  # type: ignore[assignment]
    """The reply to the final dot. RFC 5321 section 4.5.3.2.6 asks for 10 minutes: less makes duplicates."""


def _check_port(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value in _PORTS
    if not number and not (isinstance(value, str) and re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value)):
        raise ValueError('must be a number from 1 to 65535, or "env:NAME"')
    return value


Port = Annotated[int | str, BeforeValidator(_check_port)]


class SmtpEngine(EngineLimits):
    """An SMTP relay."""

    kind: Literal["smtp"]
    host: Line = Field(min_length=1)
    """Host name or address, or `env:NAME`; see `address()`."""
    port: Port = 587
    """Port, or `env:NAME`; see `address()`."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    """None: the server is not asked to authenticate us."""
    password: SecretRef | None = None
    verify_certificates: bool = True
    ca_file: str | None = None
    """PEM file of a private certificate authority; None: the system's."""
    local_hostname: Line | None = None
    """Our name in EHLO; None: this machine's."""
    connections: SmtpConnections = SmtpConnections()
    timeouts: SmtpTimeouts = SmtpTimeouts()

    def address(self) -> tuple[str, int]:
        """Host and port, with `env:` references looked up.

        Raises `UnresolvedReference` when a variable is unset, or the port's is no port number.
        """
        host = read_environment(self.host.removeprefix("env:")) if self.host.startswith("env:") else self.host
        if isinstance(self.port, int):
            return host, self.port
        name = self.port.removeprefix("env:")
        text = read_environment(name)
        if not (text.isascii() and text.isdecimal() and int(text) in _PORTS):
            raise UnresolvedReference(f"environment variable {name} must be a port number from 1 to 65535")
        return host, int(text)

    @model_validator(mode="after")
    def _credentials_are_whole_and_safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both or neither")
        if self.username is not None and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError('a password must not travel in clear: write security: "starttls" or "tls"')
        return self


Engine = SmtpEngine
"""Any engine. A further kind joins here, as a union discriminated by `kind`."""
