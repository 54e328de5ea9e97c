"""Keys where the catalog says they are, and the DNS, asked through a name server of our own."""

import asyncio
from contextlib import asynccontextmanager

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import pytest

from outreach_stream.engines.dkim import Signer
from outreach_stream.engines.dkim_keys import Keyring, key_finding, public_record, record_finding
from outreach_stream.engines.failures import MisconfiguredEngine
from outreach_stream.engines.smtp_config import DkimKey
from outreach_stream.values import SecretRef, UnresolvedReference
from tests.engines.keys import ED25519, RSA, ed25519, pem, record, rsa


class NameServer(asyncio.DatagramProtocol):
    """Answers with the TXT records given, each a list of strings; None: there is no such name."""

    def __init__(self, records: list[list[str]] | None) -> None:
        self.records = records

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        if self.records is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif self.records:
            texts = [" ".join(f'"{part}"' for part in parts) for parts in self.records]
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", *texts))
        self.transport.sendto(answer.to_wire(max_size=4_096), addr)


@asynccontextmanager
async def asking(records):
    """A resolver that asks a server with these records."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: NameServer(records), local_addr=("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    try:
        yield resolver
    finally:
        transport.close()


def halves(text: str) -> list[str]:
    """A key of 2048 bits does not fit into one string."""
    return [text[:200], text[200:]]


OTHER = record(rsa(another=1))
CASES = {
    "published": (RSA, [halves(record(rsa()))], True, "has this key"),
    "ed25519": (ED25519, [[record(ed25519())]], True, "has this key"),
    "beside another": (RSA, [["v=spf1 -all"], halves(OTHER), halves(record(rsa()))], True, "has this key"),
    "with spaces": (RSA, [halves(record(rsa()).replace("p=", "p = ").replace(";", " ; "))], True, "has this key"),
    "without v": (RSA, [halves(record(rsa()).removeprefix("v=DKIM1; "))], True, "has this key"),
    "being tested": (RSA, [halves(record(rsa()) + "; t=s:y")], None, "t=y"),
    "another key": (RSA, [halves(OTHER)], False, "publish v=DKIM1; k=rsa; p="),
    "the other kind": (ED25519, [halves(record(rsa()))], False, "publish v=DKIM1; k=ed25519; p="),
    "revoked": (RSA, [["v=DKIM1; p="]], False, "revoked"),
    "garbage": (RSA, [["p=%%%"], ["x"], [""]], False, "another key"),
    "no record": (RSA, [], False, "has no TXT record: publish"),
    "no name": (RSA, None, False, "has no TXT record: publish"),
}


@pytest.mark.parametrize(("signer", "records", "good", "words"), CASES.values(), ids=CASES)
async def test_the_record_is_compared_with_the_key(signer, records, good, words):
    """Only the same key is good; else the record to publish is told."""
    async with asking(records) as resolver:
        finding = await record_finding(signer, resolver)
    assert (finding.step, finding.good) == ("dns", good)
    assert signer.record in finding.text
    assert words in finding.text


async def test_a_dns_that_cannot_be_asked_is_nobodys_fault(monkeypatch):
    """Neither good nor bad, within the time it has."""
    monkeypatch.setattr("outreach_stream.engines.dkim_keys._SECONDS", 0.2)
    async with asking([]) as resolver:
        pass
    finding = await record_finding(RSA, resolver)
    assert finding.good is None


@pytest.mark.parametrize("key", [rsa(), ed25519()], ids=["rsa", "ed25519"])
def test_the_record_to_publish_is_the_one_that_verifiers_read(key):
    """As an independent hand writes it."""
    assert public_record(Signer("s.example", "x", key)) == record(key)


@pytest.mark.parametrize(("key", "good"), [(rsa(), True), (ed25519(), True), (rsa(1024), None)])
def test_a_short_key_is_worth_a_word(key, good):
    """RFC 8301 asks for 2048 bits; 1024 still work."""
    assert key_finding(Signer("s.example", "x", key)).good is good


def named(path) -> DkimKey:
    return DkimKey(domain="s.example", selector="x", key=SecretRef(f"file:{path}"))


def test_a_rotated_key_is_read_and_an_old_one_not_parsed_again(tmp_path):
    """Parsing checks an RSA key, which takes time."""
    path = tmp_path / "key.pem"
    path.write_text(pem(rsa()))
    ring = Keyring((named(path),))
    (first,) = ring.signers()
    assert ring.signers()[0] is first
    path.write_text(pem(ed25519()))
    (second,) = ring.signers()
    assert second.key.public_key() == ed25519().public_key()


def test_a_missing_and_a_wrong_key_are_told_by_their_reference(tmp_path):
    """Which file it is, not what stands in it."""
    with pytest.raises(UnresolvedReference, match="absent"):
        Keyring((named(tmp_path / "absent"),)).signers()
    (tmp_path / "wrong").write_text("s3cret")
    with pytest.raises(MisconfiguredEngine, match="wrong is no private key") as raised:
        Keyring((named(tmp_path / "wrong"),)).signers()
    assert "s3cret" not in str(raised.value)
