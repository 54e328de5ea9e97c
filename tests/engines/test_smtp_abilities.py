"""8BITMIME and SMTPUTF8: what is used is what the session's server has offered, and nothing else."""

import asyncio
from email import message_from_bytes
from email.policy import default

import pytest

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, Failure, MessageRejected, RecipientRejected
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_session import Abilities, crlf
from outreach_stream.rendering.mime import MessageSkeleton
from tests.engines.conftest import Relay
from tests.messages import raw

TEXT = "Grüße aus Köln 🎉\n"


def message(to: str = "ada@r.example", *, text: str = TEXT, asked: list | None = None) -> OutgoingMessage:
    mail = Mail(Mailbox("news@s.example", "Shop"), Mailbox(to), "Grüße", text)
    skeleton = MessageSkeleton(mail.sender)

    def write(*, eight_bit: bool, smtputf8: bool) -> bytes:
        if asked is not None:
            asked.append((eight_bit, smtputf8))
        return skeleton.write(mail, message_id="<1@s>", second=1_795_000_000, eight_bit=eight_bit, smtputf8=smtputf8)

    return OutgoingMessage("<1@s>", mail.sender.email, to, mail, write)


class Narrow(Relay):
    """aiosmtpd without 8BITMIME."""

    def factory(self):
        smtp = super().factory()
        push = smtp.push
        smtp.push = lambda line: push("250-SIZE 1000000" if line == "250-8BITMIME" else line)
        return smtp


def engine_at(port: int) -> SmtpEngine:
    return SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none",
        "timeouts": {"connect": "5s", "command": "2s", "data": "2s"}}))


async def send(engine: SmtpEngine, mail: OutgoingMessage):
    connection = await engine.acquire()
    assert not isinstance(connection, Failure), connection
    outcome = await connection.hand_over(mail)
    engine.release(connection)
    return outcome


@pytest.fixture
def narrow(received):
    server = Narrow(received)
    server.start()
    yield server
    server.stop()


def read(envelope) -> tuple[str, str]:
    """The text, and how it was encoded."""
    parsed = message_from_bytes(envelope.original_content, policy=default)
    return parsed.get_content().replace("\r\n", "\n"), parsed["Content-Transfer-Encoding"]


async def test_text_goes_as_it_is_where_that_is_offered(relay, received):
    """8-bit, announced as such (RFC 6152 section 2); plain ASCII is not announced as what it is not."""
    engine = engine_at(relay().port)
    assert type(await send(engine, message())) is Accepted
    assert type(await send(engine, message(text="Hello\n"))) is Accepted
    eight, seven = received.envelopes
    assert read(eight) == (TEXT, "8bit")
    assert "BODY=8BITMIME" in eight.mail_options
    assert "BODY=8BITMIME" not in seven.mail_options
    await engine.close()


async def test_text_is_encoded_where_it_is_not(narrow, received):
    """Quoted-printable or base64: ASCII on the wire, the same text for the reader."""
    engine = engine_at(narrow.port)
    assert type(await send(engine, message())) is Accepted
    (envelope,) = received.envelopes
    assert envelope.original_content.isascii()
    text, encoding = read(envelope)
    assert (text, encoding in {"quoted-printable", "base64"}) == (TEXT, True)
    assert "BODY=8BITMIME" not in envelope.mail_options
    await engine.close()


async def test_an_international_address_is_announced(relay, received):
    """SMTPUTF8 with the address that needs it, and with no other."""
    engine = engine_at(relay().port)
    assert type(await send(engine, message("jürgen@r.example"))) is Accepted
    assert type(await send(engine, message())) is Accepted
    needs, does_not = received.envelopes
    assert "SMTPUTF8" in needs.mail_options
    assert needs.rcpt_tos == ["jürgen@r.example"]
    assert "\r\nTo: jürgen@r.example\r\n".encode() in needs.original_content
    assert "SMTPUTF8" not in does_not.mail_options
    await engine.close()


@pytest.mark.parametrize(("abilities", "asked"), [
    (Abilities(), (False, False)), (Abilities(eight_bit=True), (True, False)),
    (Abilities(eight_bit=True, smtputf8=True), (True, True))])
def test_the_message_is_asked_with_what_was_offered(abilities, asked):
    """No more and no less."""
    seen: list = []
    abilities.content(message(asked=seen))
    assert seen == [asked]


UTF8_HEADER = "From: Jürgen <news@s.example>\r\n\r\nHello\r\n".encode()


@pytest.mark.parametrize(("sender", "to", "content", "expected"), [
    ("n@s.example", "jürgen@r.example", b"\r\nx\r\n", RecipientRejected),
    ("jürgen@s.example", "a@r.example", b"\r\nx\r\n", MessageRejected),
    ("n@s.example", "a@r.example", UTF8_HEADER, MessageRejected),
])
def test_what_needs_smtputf8_is_refused_without_it(sender, to, content, expected):
    """The recipient's address is the recipient's fault, the rest is the mail's; with it, it is announced."""
    mail, without = raw("<1@s>", sender, to, content), Abilities(eight_bit=True)
    assert isinstance(without.refusal(mail, content), expected)
    offered = Abilities(eight_bit=True, smtputf8=True)
    assert offered.refusal(mail, content) is None
    assert b" SMTPUTF8\r\n" in offered.envelope(mail, content)[0]


async def test_a_replaced_connection_gets_its_own_form(received):
    """The server was changed between two mails: stale connection, fresh one without 8BITMIME, the message anew."""
    hellos = [b"250-x\r\n250-8BITMIME\r\n250 PIPELINING\r\n", b"250-x\r\n250 PIPELINING\r\n"]
    bodies: list[bytes] = []

    async def serve(reader, writer):
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(hellos[min(len(bodies), 1)])
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        bodies.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 ok\r\n")
        if len(bodies) == 1:
            await reader.readuntil(b"DATA\r\n")  # the next mail's, and then it hangs up
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        engine, asked = engine_at(server.sockets[0].getsockname()[1]), []
        assert type(await send(engine, message(asked=asked))) is Accepted
        assert type(await send(engine, message(asked=asked))) is Accepted
        await engine.close()
    assert asked == [(True, False), (True, False), (False, False)]
    assert [body.isascii() for body in bodies] == [False, True]


@pytest.mark.parametrize(("content", "expected"), [
    (b"", b""), (b"a", b"a\r\n"), (b"a\nb\rc\r\n", b"a\r\nb\r\nc\r\n"), (b"\n\r", b"\r\n\r\n"), (b"a\r\n", b"a\r\n")])
def test_lines_end_as_smtp_wants(content, expected):
    """CRLF, the last one included; done twice it changes nothing."""
    assert crlf(content) == crlf(crlf(content)) == expected
