"""An SMTP server that is not ours, and certificates for it."""

import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass(frozen=True)
class Certificates:
    authority: Path
    server: ssl.SSLContext


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory) -> Certificates:
    """An authority of our own and a certificate for 127.0.0.1 and localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    ca, ca_key, key, cert = (folder / name for name in ("ca.pem", "ca.key", "server.key", "server.pem"))
    request, extra = folder / "server.csr", folder / "extra"
    extra.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid,issuer\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl("req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-subj", "/CN=Test authority", "-days", 2,
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl("req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=localhost")
    _openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-out", cert,
             "-days", 2, "-extfile", extra)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return Certificates(ca, context)


@dataclass
class Received:
    """aiosmtpd's handler: keeps every envelope."""

    envelopes: list = field(default_factory=list)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued as AIO12345"


def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"robot", b"s3cret")
    return AuthResult(success=known, handled=False)


class Relay(Controller):
    """aiosmtpd on a free port, in a thread of its own."""

    def __init__(self, handler: Received, *, implicit_tls: ssl.SSLContext | None = None, **smtp) -> None:
        self.smtp = {"authenticator": authenticate, "hostname": "relay.example", "enable_SMTPUTF8": True} | smtp
        super().__init__(handler, hostname="127.0.0.1", port=0, ssl_context=implicit_tls)

    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.smtp)

    def _trigger_server(self) -> None:
        # aiosmtpd connects to the port that was asked for, to see that it serves: 0 must become the real one first.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.fixture
def relay(received):
    """Starts relays; they end with the test."""
    relays = []

    def start(**options) -> Relay:
        server = Relay(received, **options)
        server.start()
        relays.append(server)
        return server

    yield start
    for server in relays:
        server.stop()
