"""DKIM signatures (RFC 6376, relaxed/relaxed) with RSA and Ed25519 keys (RFC 8463): pure over bytes, keys and a time.

Signed directly with `cryptography`, some 0.5 ms with an RSA key of 2048 bits and 0.1 ms with Ed25519.
"""

import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SIGNED = (b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
          b"content-transfer-encoding", b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id")
"""The header fields that a signature covers, where they are there. RFC 8058 section 4 demands both of List-*."""

_LEAST_BITS = 1024
"""RFC 8301 section 3.2: a verifier takes no shorter RSA key for one."""
_LINE = 74
"""Characters of a line of the signature's header field, whose folding is ours."""

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
_SPACES = re.compile(rb"[ \t]+")


class UnfitKey(ValueError):  # noqa: N818 - named as it is said
    """What was given is no key that can sign; says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, and where its public half is found: the TXT record `<selector>._domainkey.<domain>`."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @property
    def record(self) -> str:
        """The name of the TXT record."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def algorithm(self) -> str:
        """As the signature's a= names it."""
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The signature of `data`."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(sha256(data).digest())  # RFC 8463 section 3: of the hash


def private_key(pem: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """The key in `pem`; raises `UnfitKey`. An RSA key is checked, which takes some 20 ms."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        raise UnfitKey("is encrypted: give it without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnfitKey("is no private key in PEM, or is damaged") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise UnfitKey("must be RSA or Ed25519: mail knows no other")
    if isinstance(key, RSAPrivateKey) and key.key_size < _LEAST_BITS:
        raise UnfitKey(f"has {key.key_size} bits: verifiers take no RSA key below {_LEAST_BITS}, make one of 2048")
    return key


def signed(content: bytes, signers: Sequence[Signer], second: int) -> bytes:
    """`content` with a signature of each signer before it, dated `second` (since the epoch).

    The lines of `content` end in CRLF, its dots are not stuffed. It must then be sent as it is.
    """
    if not signers:
        return content
    # A line end before the first field: then also a message without any header is cut where it should be.
    head, _, body = (b"\r\n" + content).partition(b"\r\n\r\n")
    names, fields = _covered(head)
    body_hash = b64encode(sha256(relaxed_body(body)).digest()).decode()
    return b"".join(_signature(signer, second, names, fields, body_hash) for signer in signers) + content


def _signature(signer: Signer, second: int, names: str, fields: bytes, body_hash: str) -> bytes:
    """The header field; it covers `fields` and itself without its value of b= (RFC 6376 section 3.7)."""
    unsigned = (f"DKIM-Signature: v=1; a={signer.algorithm}; c=relaxed/relaxed; t={second};\r\n"
                f" d={signer.domain};\r\n s={signer.selector};\r\n"
                f" h={names};\r\n bh={body_hash};\r\n b=").encode()
    value = b64encode(signer.sign(fields + relaxed_field(unsigned))).decode()
    folded = "\r\n ".join(value[start: start + _LINE] for start in range(0, len(value), _LINE))
    return unsigned + f"{folded}\r\n".encode()


def _covered(head: bytes) -> tuple[str, bytes]:
    """The names for h=, and the fields as they are signed, each with its CRLF.

    Fields of one name go from the last to the first (section 5.4.2). From is named once more than it is there: a second
    one cannot be put before a signed message (section 8.15).
    """
    there: dict[bytes, list[bytes]] = defaultdict(list)
    for field in _NEXT_FIELD.split(head):
        there[field.partition(b":")[0].strip(b" \t").lower()].append(field)
    names, covered = [], []
    for name in SIGNED:
        found = there.get(name, [])
        names += [name.decode()] * (len(found) + (name == b"from"))
        covered += [relaxed_field(field) + b"\r\n" for field in reversed(found)]
    return _folded(names), b"".join(covered)


def _folded(names: Sequence[str]) -> str:
    lines = [" h="]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > _LINE:
            lines.append(" ")
        lines[-1] += name + ":"
    return "\r\n".join(lines).removeprefix(" h=")[:-1]


def relaxed_field(field: bytes) -> bytes:
    """A header field, without its last CRLF, as section 3.4.2 has it."""
    name, _, value = field.partition(b":")
    return name.strip(b" \t").lower() + b":" + _SPACES.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def relaxed_body(body: bytes) -> bytes:
    """A body as section 3.4.4 has it."""
    body = body.replace(b"\t", b" ")
    while b"  " in body:  # each pass halves the runs; a regular expression is ten times slower over an attachment
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n").removesuffix(b" ").rstrip(b"\r\n")
    return body + b"\r\n" if body else b""
