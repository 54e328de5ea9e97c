"""What a catalog may say about an SMTP relay."""

from typing import Literal, Self

from pydantic import Field, model_validator

from outreach_stream.engines.config import LOOPBACK, EngineConfig, Port, looked_up, port_number
from outreach_stream.values import Duration, Line, SecretRef, Strict


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


class SmtpConfig(EngineConfig):
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
        """Host and port, with `env:` references looked up; raises `UnresolvedReference`."""
        return looked_up(self.host), port_number(self.port)

    @model_validator(mode="after")
    def _credentials_are_whole_and_safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both or neither")
        if self.username is not None and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('a password must not travel in clear: write security: "starttls" or "tls"')
        return self
