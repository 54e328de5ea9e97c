"""The keys that an engine signs with: read where the catalog says, and compared with what the DNS says."""

import re
from base64 import b64decode, b64encode

import dns.asyncresolver
import dns.exception
import dns.resolver
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from outreach_stream.domain.ports import Finding
from outreach_stream.engines.dkim import Signer, UnfitKey, private_key
from outreach_stream.engines.failures import MisconfiguredEngine
from outreach_stream.engines.smtp_config import DkimKey

GOOD_BITS = 2048
"""RFC 8301 section 3.2 asks for this many of an RSA key."""

_SECONDS = 5.0
"""For the DNS to answer."""
_SPACE = re.compile(rb"\s+")


class Keyring:
    """The signers of one engine. Its keys are read anew each time; one that has not changed is not parsed again."""

    def __init__(self, keys: tuple[DkimKey, ...]) -> None:
        self._keys = keys
        self._parsed: dict[DkimKey, tuple[str, Signer]] = {}

    def signers(self) -> tuple[Signer, ...]:
        """All of them. Blocks while it reads files, and some 50 ms for each RSA key that is new.

        Raises `UnresolvedReference`, and `MisconfiguredEngine` for what is no key.
        """
        return tuple(map(self._signer, self._keys))

    def _signer(self, key: DkimKey) -> Signer:
        pem = key.key.resolve()
        known = self._parsed.get(key)
        if known and known[0] == pem:
            return known[1]
        try:
            signer = Signer(key.domain, key.selector, private_key(pem))
        except UnfitKey as error:
            raise MisconfiguredEngine(f"the DKIM key at {key.key} {error}") from error
        self._parsed[key] = pem, signer
        return signer


def key_finding(signer: Signer) -> Finding:
    """What kind of key it is; neither good nor bad when it is short."""
    if not isinstance(signer.key, RSAPrivateKey):
        return Finding("settings", True, f"DKIM key of {signer.record}: Ed25519")
    bits = signer.key.key_size
    if bits >= GOOD_BITS:
        return Finding("settings", True, f"DKIM key of {signer.record}: RSA, {bits} bits")
    return Finding("settings", None, f"DKIM key of {signer.record}: RSA, only {bits} bits: make one of {GOOD_BITS}")


async def record_finding(signer: Signer, resolver: dns.asyncresolver.Resolver | None = None) -> Finding:
    """Whether the DNS has the key's public half; neither good nor bad when it cannot be asked. Takes some seconds."""
    try:
        resolver = resolver or dns.asyncresolver.get_default_resolver()
        answer = await resolver.resolve(signer.record, "TXT", lifetime=_SECONDS, raise_on_no_answer=False)
        # RFC 6376 section 3.6.2.2: the strings of one record belong together.
        found = [b"".join(record.strings) for record in answer] if answer.rrset else []
    except dns.resolver.NXDOMAIN:
        found = []
    except (dns.exception.DNSException, OSError) as error:
        return Finding("dns", None, f"{signer.record}: the DNS cannot be asked ({type(error).__name__})")
    if not found:
        return Finding("dns", False, f"{signer.record} has no TXT record: publish {public_record(signer)}. Until then "
                                     "mails fail DKIM")
    return _compared(signer, found)


def public_record(signer: Signer) -> str:
    """The TXT record that should be published (RFC 6376 section 3.6.1, RFC 8463 section 4)."""
    kind = "rsa" if isinstance(signer.key, RSAPrivateKey) else "ed25519"
    return f"v=DKIM1; k={kind}; p={b64encode(_public(signer)).decode()}"


def _compared(signer: Signer, records: list[bytes]) -> Finding:
    tags = [_tags(record) for record in records]
    mine = next((each for each in tags if _key(each) == _public(signer)), None)
    if mine is None:
        said = "is revoked (p= is empty)" if any(each.get(b"p") == b"" for each in tags) else "has another key"
        return Finding("dns", False, f"{signer.record} {said}: publish {public_record(signer)}, or name the selector "
                                     "whose key this is")
    if b"y" in mine.get(b"t", b"").split(b":"):
        return Finding("dns", None, f"{signer.record} has this key, but says it is being tested (t=y)")
    return Finding("dns", True, f"{signer.record} has this key")


def _tags(record: bytes) -> dict[bytes, bytes]:
    parts = (part.partition(b"=") for part in record.split(b";"))
    return {name.strip(): _SPACE.sub(b"", value) for name, _, value in parts}


def _key(tags: dict[bytes, bytes]) -> bytes | None:
    try:
        return b64decode(tags[b"p"])
    except (KeyError, ValueError):
        return None


def _public(signer: Signer) -> bytes:
    """The public half as p= has it in base64: RFC 8463 section 4.2 has the bare 32 bytes of Ed25519."""
    public = signer.key.public_key()
    if isinstance(signer.key, RSAPrivateKey):
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)
