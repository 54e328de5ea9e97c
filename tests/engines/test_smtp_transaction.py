"""The transaction against a server that misbehaves by script."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest

from outreach_stream.domain.outcomes import Accepted, InDoubt, RecipientRejected, Transient
from outreach_stream.engines.smtp import SmtpEngine
from outreach_stream.engines.smtp_config import SmtpConfig
from outreach_stream.engines.smtp_mail import wire_form
from outreach_stream.engines.smtp_session import crlf, tidy
from tests.messages import raw

MAIL = raw("<1@s>", "n@s.example", "joe@r.example", b"Subject: x\r\n\r\nHello\r\n")
HELLO = "250-x\r\n250-8BITMIME\r\n250 PIPELINING\r\n"


@asynccontextmanager
async def connected(script):
    """An engine's connection to a server that answers EHLO and then runs `script(reader, writer)`."""
    async def serve(reader, writer):
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(HELLO.encode())
        await script(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    engine = SmtpEngine(SmtpConfig.model_validate({
        "id": "relay", "kind": "smtp", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1],
        "security": "none", "timeouts": {"command": "500ms", "data": "500ms"}}))
    connection = await engine.acquire()
    try:
        yield connection
    finally:
        engine.release(connection)
        await engine.close()
        server.close()


async def until(reader, marker: bytes) -> bytes:
    return await reader.readuntil(marker)


def answering(before: bytes, after: bytes | None):
    """A script: `before` in answer to the commands, `after` to the dot; None: hang up after the dot."""
    async def script(reader, writer):
        await until(reader, b"DATA\r\n")
        writer.write(before)
        if b"354" in before:
            await until(reader, b"\r\n.\r\n")
            if after is not None:
                writer.write(after)
                await asyncio.sleep(1)
    return script


ENVELOPE = b"250 ok\r\n250 ok\r\n354 go\r\n"


@pytest.mark.parametrize(("before", "after", "expected", "handed_over"), [
    (ENVELOPE, b"250 ok\r\n", Accepted, True),
    (ENVELOPE, b"250-2.0.0 ok\r\n250 2.0.0 really\r\n", Accepted, True),
    (ENVELOPE, b"421 closing\r\n", Transient, True),
    (ENVELOPE, b"nonsense\r\n", InDoubt, True),
    (ENVELOPE, b"354 again?\r\n", InDoubt, True),
    (ENVELOPE, b"250-never ", InDoubt, True),
    (ENVELOPE, b"x" * 40_000, InDoubt, True),
    (ENVELOPE, None, InDoubt, True),
    (b"250 ok\r\n250 ok\r\n250 what\r\n", None, Transient, False),
    (b"250 ok\r\n550 5.1.1 no\r\n554 5.5.1 none\r\n", None, RecipientRejected, False),
    (b"250 ok\r\n550 5.1.1 no\r\n354 go on\r\n", None, RecipientRejected, False),
    (b"250 ok\r\n550 5.1.1 no\r\n", None, RecipientRejected, False),
    (b"421 too old\r\n", None, Transient, False),
    (b"250 ok\r\n", None, Transient, False),
    (b"", None, Transient, False),
])
async def test_replies_are_matched_in_order(before, after, expected, handed_over):
    """Several replies in one packet, half a set, none: the outcome is exact, and so is `handed_over`."""
    async with connected(answering(before, after)) as connection:
        assert type(await connection.hand_over(MAIL)) is expected
        assert connection.handed_over is handed_over


async def test_replies_may_come_byte_by_byte():
    """TCP promises no packets."""
    async def script(reader, writer):
        await until(reader, b"DATA\r\n")
        for byte in ENVELOPE:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await until(reader, b"\r\n.\r\n")
        writer.write(b"250 ok\r\n")
    async with connected(script) as connection:
        assert isinstance(await connection.hand_over(MAIL), Accepted)


async def test_the_first_byte_goes_before_the_first_wait():
    """Nothing is awaited between the caller's last check and the first byte."""
    async with connected(answering(ENVELOPE, b"250 ok\r\n")) as connection:
        written = []
        real = connection.wire.write
        connection.wire.write = lambda data, expect=0: (written.append(data), real(data, expect))
        step = connection.hand_over(MAIL)
        waiting = step.send(None)
        assert written
        assert written[0].startswith(b"MAIL FROM:")
        waiting.cancel()
        step.close()


async def test_a_link_lost_within_the_message_is_no_doubt():
    """Without its final dot a message is not accepted, however much of it had gone."""
    async def script(reader, writer):
        await until(reader, b"DATA\r\n")
        writer.write(ENVELOPE)
        await reader.read(1_000)
        await asyncio.sleep(0.2)
    big = raw("<1@s>", "n@s.example", "joe@r.example", b"0123456789abc\r\n" * 2_000_000)
    async with connected(script) as connection:
        outcome = await connection.hand_over(big)
        assert type(outcome) is Transient
        assert not connection.handed_over


async def test_a_server_that_speaks_unasked_is_left():
    """A 421 to an idle connection must not become the answer to the next MAIL."""
    async def script(reader, writer):
        await until(reader, b"DATA\r\n")
        writer.write(ENVELOPE)
        await until(reader, b"\r\n.\r\n")
        writer.write(b"250 ok\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"421 bored\r\n")
        await asyncio.sleep(0.5)
    async with connected(script) as connection:
        assert isinstance(await connection.hand_over(MAIL), Accepted)
        assert connection.reusable
        await asyncio.sleep(0.2)
        assert not connection.reusable


@pytest.mark.parametrize(("content", "expected"), [
    (b"", b".\r\n"), (b"a\r\n", b"a\r\n.\r\n"), (b"a", b"a\r\n.\r\n"), (b".\r\n", b"..\r\n.\r\n"),
    (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n.\r\n"), (b"a\n.\nb\r\n", b"a\r\n..\r\nb\r\n.\r\n"),
    (b"a\r.\rb", b"a\r\n..\r\nb\r\n.\r\n"), (b"a\n\r.\r\n", b"a\r\n\r\n..\r\n.\r\n"),
])
def test_no_content_can_end_the_message_early(content, expected):
    """Dots are stuffed and every line ends in CRLF, so only the last line is a lone dot."""
    data = wire_form(crlf(content))
    assert data == expected
    assert data.count(b"\r\n.\r\n") == (1 if content else 0)


def test_what_is_tidy_goes_as_it_is():
    """A content is taken for tidy exactly if neither a line end nor a dot of it has to be changed."""
    for length in range(7):
        for content in map(b"".join, itertools.product((b"\r", b"\n", b".", b"x"), repeat=length)):
            unchanged = bool(content) and crlf(content) == content and wire_form(content) == content + b".\r\n"
            assert tidy(content) is unchanged, content
            assert not unchanged or wire_form(content, tidy=True) == wire_form(content)
