"""Signatures, judged by dkimpy: RFC 6376 and RFC 8463 as somebody else read them."""

import re
import time

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.engines.dkim import UnfitKey, private_key, relaxed_body, signed
from tests.engines.keys import ED25519, RSA, ed25519, pem, rsa, verified

NOW = int(time.time())
HEAD = (b"Date: Tue, 24 Nov 2026 19:00:00 +0000\r\nFrom: Shop <news@s.example>\r\nReply-To: help@s.example\r\n"
        b"MIME-Version: 1.0\r\nTo: ada@r.example\r\nSubject: Hello\r\nMessage-ID: <1@s.example>\r\n"
        b"List-Unsubscribe: <https://s.example/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        b"Feedback-ID: 1:run:s.example\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n")
MESSAGE = HEAD + b"\r\nHello\r\n"

HEADS = {
    "as usual": HEAD,
    "folded": HEAD.replace(b"Subject: Hello", b"Subject: Hello,\r\n  you \t there\r\n\tand there   "),
    "emoji": HEAD.replace(b"Hello", b"=?utf-8?b?8J+OiQ==?=\r\n =?utf-8?b?8J+OiQ==?="),
    "utf-8": HEAD.replace(b"ada@", "jürgen@".encode()).replace(b"Hello", "Grüße 🎉".encode()),
    "long": HEAD.replace(b"Hello", b"x" * 900),
    "another case": HEAD.replace(b"Subject: ", b"SUBJECT:\t "),
    "empty value": HEAD.replace(b"Subject: Hello", b"Subject:"),
    "a field twice": HEAD + b"Reply-To: first@s.example\r\nTo: last@s.example\r\n",
    "a field that looks like another": HEAD + b"X-From: a\r\n b: c\r\nFromage: d\r\n",
}
BODIES = {
    "none": b"", "empty": b"\r\n", "only empty lines": b"\r\n\r\n\r\n", "only spaces": b"  \t \r\n",
    "lines at the end": b"Hello\r\n\r\n \t\r\n\r\n", "spaces at the ends": b"Hello \t\r\n there  \t\r\n",
    "runs of spaces": b"a  b\t \tc" + b" " * 5_000 + b"d\r\n", "8-bit": "Grüße\r\n🎉\r\n".encode(),
    "quoted-printable": b"Gr=C3=BC=C3=9Fe =\r\n there=20\r\n", "dots": b".\r\n..\r\n.a\r\n",
    "other white space": b"a\x0b\x0c b\x85 \xa0\r\n", "empty lines first": b"\r\n\r\nHello\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_both_signatures_hold(head, body):
    """Whatever stands in headers and body, RSA and Ed25519 both verify, and the message follows as it was."""
    message = head + b"\r\n" + body
    done = signed(message, [RSA, ED25519], NOW)
    assert verified(done, RSA, ED25519) == [True, True]
    assert done.endswith(message)


@pytest.mark.parametrize("signer", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize("changed", [
    (b"Hello\r\n", b"Hallo\r\n"), (b"Subject: Hello", b"Subject: hello"), (b"/u/1", b"/u/2"), (b"One-Click", b"Two"),
    (b"1:run", b"2:run"), (b"ada@", b"eve@"), (b"news@", b"evil@"), (b"<1@s", b"<2@s"), (b"19:00", b"20:00"),
    (b"help@", b"evil@"), (b"utf-8", b"utf-7"), (b"8bit", b"7bit"), (b"Version: 1.0", b"Version: 1.1"),
    (b"\r\n\r\nHello", b"\r\nFrom: evil@s.example\r\n\r\nHello"), (b" t=", b" t=1"),
], ids=lambda change: repr(change[1][-12:]))
def test_an_altered_mail_does_not_verify(signer, changed):
    """Every field that is signed, the body, the signature itself, and a second From."""
    done = signed(MESSAGE, [signer], NOW)
    assert verified(done, signer) == [True]
    old, new = changed
    where = done.rfind(old) if old != b" t=" else done.find(old)
    assert where >= 0
    altered = done[:where] + new + done[where + len(old):]
    assert verified(altered, signer) == [False]


def test_the_right_key_is_needed():
    """Signed by one key and published with another: no."""
    assert verified(signed(MESSAGE, [RSA], NOW), type(RSA)(RSA.domain, RSA.selector, rsa(another=1))) == [False]


def test_without_signers_nothing_is_done():
    """The message itself."""
    assert signed(MESSAGE, [], NOW) is MESSAGE


def test_the_signature_says_what_it_covers():
    """From once more than it is there (RFC 6376 section 8.15), both of RFC 8058, no body length; in short lines."""
    field = signed(MESSAGE, [RSA], NOW)[:-len(MESSAGE)].decode()
    tags = dict(part.strip().split("=", 1) for part in field.partition(":")[2].split(";"))
    names = re.sub(r"\s", "", tags["h"]).split(":")
    assert names == ["from", "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
                     "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post", "feedback-id"]
    assert (tags["d"], tags["s"], tags["c"], tags["t"]) == ("s.example", "rsa2026", "relaxed/relaxed", str(NOW))
    assert "l" not in tags
    assert max(map(len, field.split("\r\n"))) <= 78
    assert "  " not in field


@given(st.text(st.sampled_from("a \t\r\n"), max_size=40))
def test_bodies_are_as_dkimpy_has_them(text):
    """Relaxed (section 3.4.4), for whatever lines there are."""
    body = "".join(line + "\r\n" for line in text.splitlines()).encode()
    assert relaxed_body(body) == dkim.canonicalization.Relaxed.canonicalize_body(body)


@pytest.mark.parametrize("key", [rsa(), rsa(1024), ed25519()], ids=["rsa", "short rsa", "ed25519"])
def test_a_key_is_read_from_pem(key):
    """PKCS#8, which `openssl genpkey` writes."""
    assert private_key(pem(key)).public_key() == key.public_key()


def test_a_key_is_read_from_the_older_pem():
    """PKCS#1, which `openssl genrsa` wrote before version 3."""
    assert private_key(pem(rsa(), PrivateFormat.TraditionalOpenSSL)).public_key() == rsa().public_key()


LOCKED = rsa().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
UNFIT = {
    "s3cret": "PEM", "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----": "PEM",
    pem(rsa())[:800]: "PEM", LOCKED: "passphrase", pem(generate_private_key(SECP256R1())): "RSA or Ed25519",
    "": "PEM", "schlüssel": "PEM",
}


@pytest.mark.parametrize(("text", "words"), UNFIT.items(), ids=range(len(UNFIT)))
def test_what_is_no_key_is_told_without_repeating_it(text, words):
    """The reason, in words for whoever wrote the catalog, and nothing of what stood there."""
    with pytest.raises(UnfitKey, match=words) as raised:
        private_key(text)
    assert "s3cret" not in str(raised.value)
