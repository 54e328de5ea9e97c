"""Signed mails through the engine, as an independent server received and an independent verifier judges them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, EngineStopped, Failure
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_session import Abilities
from outreach_stream.rendering.headers import one_line
from outreach_stream.rendering.mime import MessageSkeleton
from tests.engines.keys import ED25519, RSA, ed25519, pem, rsa, verified
from tests.messages import raw

SENDER, TO = Mailbox("news@s.example", "Grüne Läden, 🌱"), Mailbox("ada@r.example", "Ada")
MAIL = Mail(SENDER, TO, "Hallo 🎉 " * 30, "Grüße\n.\n..punkt\n  \n\n", "<p>Grüße  </p>\n\n", Mailbox("help@s.example"),
            headers=(("List-Unsubscribe", "<https://s.example/u/1>"),
                     ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")))


def message(mail: Mail = MAIL) -> OutgoingMessage:
    skeleton = MessageSkeleton(SENDER, mail.reply_to)
    return OutgoingMessage("<1@s.example>", SENDER.email, TO.email, mail, lambda **how: skeleton.write(
        mail, message_id="<1@s.example>", second=1_795_000_000, **how))


@pytest.fixture
def keys(tmp_path):
    (tmp_path / "rsa.pem").write_text(pem(rsa()))
    (tmp_path / "ed.pem").write_text(pem(ed25519()))
    return tmp_path


def config_for(relay, *dkim: dict, **changes) -> SmtpConfig:
    return SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": relay.port, "security": "none", "concurrency": 1,
        "dkim": list(dkim), "timeouts": {"connect": "5s", "command": "2s", "data": "2s"}} | changes)


def rsa_key(keys) -> dict:
    return {"domain": "s.example", "selector": "rsa2026", "key": f"file:{keys / 'rsa.pem'}"}


def ed_key(keys) -> dict:
    return {"domain": "s.example", "selector": "ed2026", "key": f"file:{keys / 'ed.pem'}"}


async def send(engine: SmtpEngine, mail: OutgoingMessage):
    connection = await engine.acquire()
    if isinstance(connection, Failure):
        return connection
    outcome = await connection.hand_over(mail)
    engine.release(connection)
    return outcome


anything = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from(" \t\r\n.=:;<>א\u202e🌱")), max_size=200)


@given(subject=anything, name=anything, text=anything.filter(str.strip))
def test_whatever_a_mail_says_its_signature_holds(subject, name, text):
    """Hostile names, long subjects, emoji, RTL: as the catalog's mails are written, for any server."""
    mail = Mail(SENDER, Mailbox("ada@r.example", one_line(name)), one_line(subject), text, f"<p>{text}</p>")
    for abilities in (Abilities(), Abilities(eight_bit=True, smtputf8=True)):
        assert verified(abilities.content(message(mail), [ED25519])[0], ED25519) == [True]


MAILS = {
    "both bodies": message(),
    "headers only": raw("<1@s>", SENDER.email, TO.email, b"From: news@s.example\r\nSubject: x\r\n\r\n"),
    "no end of line, bare ones": raw("<1@s>", SENDER.email, TO.email, b"From: news@s.example\n\n.a\rb \n\n..\n\n\nc "),
}


@pytest.mark.parametrize("mail", MAILS.values(), ids=MAILS)
async def test_what_arrives_verifies(relay, received, keys, mail):
    """With one key, with two; the bytes after the signature are the mail's, dots and all."""
    for wanted in ((RSA,), (ED25519,), (RSA, ED25519)):
        chosen = [rsa_key(keys) if each is RSA else ed_key(keys) for each in wanted]
        engine = SmtpEngine(config_for(relay(), *chosen))
        assert type(await send(engine, mail)) is Accepted
        assert verified(received.envelopes[-1].original_content, *wanted) == [True] * len(wanted)
        await engine.close()


async def test_a_signed_mail_is_seven_bit(relay, received, keys):
    """RFC 6376 section 5.3: a relay that has to write 8-bit text anew breaks the signature."""
    engine = SmtpEngine(config_for(relay(), rsa_key(keys)))
    assert type(await send(engine, message())) is Accepted
    (envelope,) = received.envelopes
    assert envelope.original_content.isascii()
    assert "BODY=8BITMIME" not in envelope.mail_options
    await engine.close()


async def test_a_rotated_key_signs_from_the_next_connection_on(relay, received, keys):
    """Nothing is started again: the file is read at each connection."""
    engine = SmtpEngine(config_for(relay(), rsa_key(keys), connections={"max_messages": 1}))
    assert type(await send(engine, message())) is Accepted
    (keys / "rsa.pem").write_text(pem(rsa(another=1)))
    assert type(await send(engine, message())) is Accepted
    rotated = type(RSA)(RSA.domain, RSA.selector, rsa(another=1))
    before, after = (envelope.original_content for envelope in received.envelopes)
    assert verified(before, RSA) == verified(after, rotated) == [True]
    await engine.close()


@pytest.mark.parametrize(("text", "words"), [("nonsense", "no private key"), (None, "cannot be read")])
async def test_a_wrong_key_stops_the_engine(relay, received, keys, text, words):
    """Nothing goes out unsigned, and the file is named."""
    path = keys / "rsa.pem"
    path.unlink() if text is None else path.write_text(text)
    engine = SmtpEngine(config_for(relay(), rsa_key(keys)))
    outcome = await send(engine, message())
    assert type(outcome) is EngineStopped
    assert "rsa.pem" in outcome.detail and words in outcome.detail
    assert received.envelopes == []
    await engine.close()


async def test_the_signature_counts_against_the_servers_size(relay, keys):
    """What is announced is what is sent."""
    mail = message()
    engine = SmtpEngine(config_for(relay(data_size_limit=len(mail.mime()) + 10), rsa_key(keys)))
    outcome = await send(engine, mail)
    assert isinstance(outcome, Failure) and outcome.reason == "too_large"
    await engine.close()


async def test_it_is_signed_before_the_first_byte_and_without_waiting(relay, keys):
    """A check made just before the call still holds when MAIL is written."""
    engine = SmtpEngine(config_for(relay(), rsa_key(keys)))
    connection = await engine.acquire()
    written = []
    connection.wire.write = lambda data, expect=0: written.append(data)
    step = connection.hand_over(message())
    step.send(None).cancel()
    step.close()
    assert written[0].startswith(b"MAIL FROM:")
    engine.release(connection)
    await engine.close()
