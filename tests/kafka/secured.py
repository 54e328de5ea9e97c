"""A broker that lets in only who can prove who they are: Kafka's own, with the certificates of an authority of ours."""

import datetime as dt
import ipaddress
from collections.abc import Mapping
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from outreach_stream.broker.access import kafka_access
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.permissions import ROLES, grants
from outreach_stream.broker.ports import choose_ports
from outreach_stream.broker.properties import LOOPBACK, server_properties

USER, PASSWORD = "outreach", "a-long-secret-with-%-and-+"

_MODULES = "org.apache.kafka.common.security"
_DAY = dt.timedelta(days=1)


class Authority:
    """Signs certificates, and writes them with their keys as PEM files into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._begun(self._name, self._key, days=2)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        own = own.add_extension(x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False), True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(now - 3 * _DAY)
                .not_valid_after(now + days * _DAY)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False))

    def certificate(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """A certificate of 127.0.0.1 (not of `localhost`) and its key; with negative `days` it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._begun(subject, key, days).add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False,
        ).sign(self._key, hashes.SHA256())
        files = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return files


RESOURCES = {"topic": 2, "group": 3}
LITERAL, PREFIXED, ALLOWED = 3, 4, 3
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10}
"""[Kafka's numbers](https://kafka.apache.org/protocol#The_Messages_CreateAcls) of what an ACL is made of."""


async def allow(bootstrap: str) -> None:
    """Allow each role's user what `permissions` says, and nothing else."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **kafka_access())
    await client.bootstrap()
    try:
        for role in ROLES:
            for grant in grants(role):
                answer = await client.send(client.get_random_node(), CreateAclsRequest(
                    RESOURCES[grant.resource], grant.name, PREFIXED if grant.prefixed else LITERAL, f"User:{role}", "*",
                    OPERATIONS[grant.operation], ALLOWED))
                assert [code for code, _ in answer.creation_responses] == [0], answer
    finally:
        await client.close()


class SecuredFolder(DataFolder):
    """Knows a user from its first start on."""

    def format_command(self, class_path: list[Path]) -> list[str]:
        """With a user who may do everything, and one for each role, who may do nothing yet; all by SCRAM."""
        users = (f"SCRAM-SHA-512=[name={name},password={PASSWORD}]" for name in (USER, *ROLES))
        return [*super().format_command(class_path), *(word for user in users for word in ("--add-scram", user))]


class SecuredBroker(EmbeddedBroker):
    """Wants a login over TLS at `bootstrap`, a certificate at `mutual`; at `stale` its own certificate has expired."""

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        super().__init__(folder / "kafka", cache_dir)
        self.authority, self.stranger = Authority(folder, "authority"), Authority(folder, "stranger")
        self._server, self._stale = self.authority.certificate("broker"), self.authority.certificate("stale", days=-1)
        self.folder = SecuredFolder(folder / "kafka")
        ports = [choose_ports(0) for _ in range(3)]
        self.port = ports[0].broker
        self._ports, self._mutual, self._expired, self._inside = (
            ports[0], ports[1].broker, ports[1].controller, ports[2].broker)

    @property
    def mutual(self) -> str:
        """Where a client shows a certificate."""
        return f"{LOOPBACK}:{self._mutual}"

    @property
    def stale(self) -> str:
        """Where the broker's own certificate has expired."""
        return f"{LOOPBACK}:{self._expired}"

    @property
    def inside(self) -> str:
        """Where nobody is asked anything."""
        return f"{LOOPBACK}:{self._inside}"

    def configuration(self) -> str:
        """The single node's, and what differs: of two lines with one key the later counts."""
        places = {"LOGIN": self.port, "MUTUAL": self._mutual, "STALE": self._expired, "INSIDE": self._inside}
        listeners = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in places.items())
        lines = {
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{self._ports.controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "LOGIN:SASL_SSL,MUTUAL:SSL,STALE:SSL,INSIDE:PLAINTEXT,"
                                              "CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INSIDE",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER}",
            "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_MODULES}.scram.ScramLoginModule required;",
            "listener.name.login.plain.sasl.jaas.config":
                f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
            "listener.name.mutual.ssl.client.auth": "required",
            **self._tls("login", self._server), **self._tls("mutual", self._server), **self._tls("stale", self._stale),
        }
        return server_properties(self.folder.path, self._ports) + "".join(
            f"{key}={value}\n" for key, value in lines.items())

    def _tls(self, listener: str, server: tuple[Path, Path]) -> Mapping[str, str]:
        def one_line(*files: Path) -> str:
            return "".join(file.read_text() for file in files).replace("\n", "\\n")

        certificate, key = server
        return {f"listener.name.{listener}.ssl.{name}": value for name, value in {
            "keystore.type": "PEM", "truststore.type": "PEM", "keystore.key": one_line(key),
            "keystore.certificate.chain": one_line(certificate, self.authority.file),
            "truststore.certificates": one_line(self.authority.file)}.items()}
