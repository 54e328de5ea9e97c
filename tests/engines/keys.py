"""DKIM keys made for the tests, and a verifier that is not ours."""

from base64 import b64encode
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from outreach_stream.engines.dkim import Signer


@cache
def rsa(bits: int = 2048, *, another: int = 0):
    """A key, made once; `another` tells several of a size apart."""
    return generate_private_key(65_537, bits)


@cache
def ed25519():
    return Ed25519PrivateKey.generate()


def pem(key, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def record(key) -> str:
    """The TXT record, written independently of the code under test."""
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "v=DKIM1; k=ed25519; p=" + b64encode(raw).decode()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; k=rsa; p=" + b64encode(der).decode()


RSA = Signer("s.example", "rsa2026", rsa())
ED25519 = Signer("s.example", "ed2026", ed25519())


def verified(message: bytes, *signers: Signer) -> list[bool]:
    """What dkimpy says of each signature in the message, from the first on."""
    records = {f"{each.record}.".encode(): record(each.key).encode() for each in signers}
    verifier = dkim.DKIM(message, timeout=1)

    def good(place: int) -> bool:
        try:
            return verifier.verify(idx=place, dnsfunc=lambda name, timeout=5: records.get(name))
        except dkim.ValidationError:  # so it tells of a wrong body
            return False

    return [good(place) for place in range(message.lower().count(b"dkim-signature:"))]
