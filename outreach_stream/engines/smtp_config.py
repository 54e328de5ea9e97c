"""What a catalog may say about an SMTP relay."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from outreach_stream.engines.config import LOOPBACK, NOT_VERIFIED, EngineConfig, Port, looked_up, port_number
from outreach_stream.rules import Ruled, rule
from outreach_stream.values import Duration, Line, SecretRef, Strict, UnresolvedReference

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_REWRITES = re.compile(r"email-smtp\.[\w-]+\.amazonaws\.com", re.IGNORECASE)
"""Relays that write Date and Message-ID anew: docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-manual.
html asks not to sign those two, and RFC 6376 section 5.4.1 to sign Date."""


def _check_name(value: str) -> str:
    if len(value) > 200 or not _NAME.fullmatch(value):  # noqa: PLR2004 - RFC 1035 allows 253 to both together
        raise ValueError('must be a name as the DNS has it, such as "example.com" or "mail2026" (an international '
                         "domain in its form with xn--)")
    return value.lower()


def _check_domain(value: str) -> str:
    if "." not in value:
        raise ValueError('must be a domain, such as "example.com"')
    return value


DnsName = Annotated[str, AfterValidator(_check_name)]


class SmtpConnections(Strict):
    """How long one connection is used."""

    max_messages: int = Field(default=100, ge=1)
    """Mails on one connection before a new one is opened: big providers close it after 20 to 100."""
    idle: Duration = "30s"  # type: ignore[assignment]  # defaults are validated as they stand in a file
    """Seconds without a mail after which it is closed: servers drop idle ones after 15 to 60 s."""


class SmtpTimeouts(Strict):
    """Seconds to wait for the server, by phase."""

    connect: Duration = "15s"  # type: ignore[assignment]
    """TCP, TLS, greeting and login of one relay, together."""
    command: Duration = "60s"  # type: ignore[assignment]
    """Each reply before the message is handed over, and each 64 KiB of the message. RFC 5321 section 4.5.3.2 has 2 to 5
    minutes; less is safe here, since nothing was accepted yet."""
    data: Duration = "10m"  # type: ignore[assignment]
    """The reply to the final dot. RFC 5321 section 4.5.3.2.6 asks for 10 minutes: less makes duplicates."""


class Relay(Strict):
    """One of the servers that take an engine's mail."""

    host: Line = Field(min_length=1)
    """Host name or address, or `env:NAME`."""
    port: Port = 587
    """Port, or `env:NAME`."""
    weight: int = Field(default=1, ge=1, le=100)
    """Its share of new connections."""

    def address(self) -> tuple[str, int]:
        """Host and port, with `env:` references looked up; raises `UnresolvedReference`."""
        return looked_up(self.host), port_number(self.port)


class DkimKey(Strict):
    """A key to sign mails with (RFC 6376)."""

    domain: Annotated[DnsName, AfterValidator(_check_domain)]
    """The signing domain, d=: that of the sender's address, or one above it (DMARC, RFC 7489 section 3.1.1)."""
    selector: DnsName
    """The public half stands in the TXT record `<selector>._domainkey.<domain>`."""
    key: SecretRef
    """The private half in PEM: RSA, best with 2048 bits, or Ed25519. Read anew at each connection."""


class SmtpConfig(Ruled, EngineConfig):
    """An SMTP relay, or several that are one engine: its limits, credentials and security are theirs."""

    kind: Literal["smtp"]
    host: Line | None = Field(default=None, min_length=1)
    """Host name or address, or `env:NAME`; None: there are `relays`."""
    port: Port = 587
    """Port, or `env:NAME`."""
    relays: tuple[Relay, ...] = ()
    """Several relays, instead of `host` and `port`."""
    security: Literal["none", "starttls", "tls"] = "starttls"
    """`tls`: from the first byte (port 465). `starttls` insists: without it nothing is sent."""
    auth: Literal["auto", "plain", "login", "xoauth2"] = "auto"
    """How we log in; auto: PLAIN if it is offered, else LOGIN. One try for each connection."""
    username: str | None = None
    """None: the server is not asked to authenticate us."""
    password: SecretRef | None = None
    """With xoauth2 the access token: whatever refreshes the token writes the file. Read anew at each connection."""
    verify_certificates: bool = True
    """Off: told at every start and check."""
    ca_file: str | None = None
    """PEM file of a private certificate authority; None: the system's."""
    local_hostname: Line | None = None
    """Our name in EHLO; None: this machine's."""
    dkim: Annotated[tuple[DkimKey, ...],
                    BeforeValidator(lambda given: [given] if isinstance(given, dict | DkimKey) else given)] = ()
    """Keys that sign every mail, one or a list; none: mails are not signed here."""
    connections: SmtpConnections = SmtpConnections()
    timeouts: SmtpTimeouts = SmtpTimeouts()

    @property
    def every_relay(self) -> tuple[Relay, ...]:
        """The relays, also where there is one."""
        return self.relays or (Relay(host=self.host or "", port=self.port),)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Mails that others can read, and signatures that will not hold."""
        found = []
        if self.security != "none" and not self.verify_certificates:
            found.append(NOT_VERIFIED)
        hosts = [_told(relay) for relay in self.every_relay]
        if self.security == "none" and (far := [host for host in hosts if host and host not in LOOPBACK]):
            found.append(f'security is "none": mails travel in clear to {", ".join(far)}. Write "starttls" or "tls"')
        if self.dkim and any(_REWRITES.fullmatch(host) for host in hosts):
            found.append("Amazon SES writes Date and Message-ID anew, which breaks the DKIM signatures made here: "
                         "leave dkim out and let SES sign")
        return tuple(found)

    @rule()
    def _there_is_one_way(self) -> str | None:
        if self.relays and {"host", "port"} & self.model_fields_set:
            return "host and port, or relays: give one of both, each relay has a host and a port of its own"
        return None

    @rule()
    def _there_is_a_relay(self) -> str | None:
        lacking = not self.relays and self.host is None
        return "host is missing: write the relay's name, or several of them under relays" if lacking else None

    @rule()
    def _credentials_are_whole(self) -> str | None:
        half = (self.username is None) != (self.password is None)
        return "username and password go together: give both or neither" if half else None

    @rule("auth")
    def _credentials_are_there(self) -> str | None:
        lacking = self.username is None and self.password is None and self.auth != "auto"
        return f"auth {self.auth} needs username and password" if lacking else None

    @rule("host", "relays", "security")
    def _credentials_are_safe(self) -> str | None:
        hosts = {relay.host for relay in self.relays} or {self.host or "localhost"}
        clear = self.username is not None and self.security == "none" and not hosts <= LOOPBACK
        return 'a password must not travel in clear: write security: "starttls" or "tls"' if clear else None


def _told(relay: Relay) -> str:
    """The relay's host; empty while its variable is unset, which is told where it is used."""
    try:
        return looked_up(relay.host)
    except UnresolvedReference:
        return ""
