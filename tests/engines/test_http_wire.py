"""One HTTP connection against servers that behave, and those that do not; in clear and under TLS."""

import asyncio
import ssl

import pytest

from outreach_stream.engines.failures import MalformedReply, MisconfiguredEngine
from outreach_stream.engines.http_wire import Request
from tests.engines.http_peer import answer, peer, request_from, wire_to

ASK = Request("POST", "/v3/mail/send", {"Authorization": "Bearer k"}, b'{"a":1}')


@pytest.fixture(params=["clear", "tls"])
def sides(request, certificates):
    """What the server and the client use for TLS."""
    if request.param == "clear":
        return None, None
    return certificates.server, ssl.create_default_context(cafile=certificates.authority)


async def exchange(sides, *pieces: bytes | float):
    """The wire after one request, answered with these pieces (numbers are pauses) and then the end of the connection,
    unless the last one is a pause."""
    async def serve(reader, writer):
        await request_from(reader)
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        writer.close()

    async with peer(serve, tls=sides[0]) as port:
        wire = await wire_to(port, sides[1])
        wire.write(ASK)
        try:
            return await wire.answer(0.5), wire.usable
        except (OSError, asyncio.CancelledError) as error:
            return error, wire.usable
        finally:
            wire.abort()


STAYS = 30.0
WHOLE = answer(b'{"id":1}', "202 Accepted", "X-Message-Id: abc")
CHUNKED = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: abc\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = {
    "whole": ([WHOLE, STAYS], True),
    "in_pieces": ([*(bytes([byte]) for byte in WHOLE), STAYS], True),
    "body_later": ([WHOLE[:-3], 0.05, WHOLE[-3:], STAYS], True),
    "after_100_continue": ([b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, STAYS], True),
    "after_early_hints": ([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0.02, WHOLE, STAYS], True),
    "chunked": ([CHUNKED, b'3\r\n{"i\r\n', 0.02, b'5;x=y\r\nd":1}\r\n0\r\nTrailer: t\r\n\r\n', STAYS], True),
    "connection_close": ([answer(b'{"id":1}', "202 Accepted", "X-Message-Id: abc", "Connection: close"), STAYS], False),
    "closed_after_it": ([WHOLE], None),  # whether we have seen it already is a matter of chance
    "http_1_0": ([b'HTTP/1.0 202 Accepted\r\nX-Message-Id: abc\r\nContent-Length: 8\r\n\r\n{"id":1}', STAYS], False),
    "until_the_end": ([b'HTTP/1.0 202 Accepted\r\nX-Message-Id: abc\r\n\r\n{"id', 0.02, b'":1}'], False),
    "more_than_asked": ([WHOLE + WHOLE, STAYS], False),
}


@pytest.mark.parametrize("case", GOOD)
async def test_an_answer_is_read_whatever_its_form(sides, case):
    """Status, headers and body come out the same; the connection is used again exactly when HTTP allows it."""
    pieces, again = GOOD[case]

    found, usable = await exchange(sides, *pieces)

    assert (found.status, found.headers["x-message-id"], found.body) == (202, "abc", b'{"id":1}')
    assert again is None or usable is again


BAD = {
    "closed": ([], ConnectionError),
    "closed_in_head": ([b"HTTP/1.1 202 Acc"], ConnectionError),
    "closed_in_body": ([WHOLE[:-1]], ConnectionError),
    "closed_in_chunk": ([CHUNKED, b'8\r\n{"id'], ConnectionError),
    "closed_after_100": ([b"HTTP/1.1 100 Continue\r\n\r\n"], ConnectionError),
    "silent": ([STAYS], TimeoutError),
    "stops_in_body": ([WHOLE[:-1], STAYS], TimeoutError),
    "another_protocol": ([b"220 smtp.example ESMTP\r\n\r\n", STAYS], MalformedReply),
    "switches_protocol": ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", STAYS], MalformedReply),
    "two_lengths": ([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", STAYS], MalformedReply),
    "endless_head": ([b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 20_000, STAYS], MalformedReply),
    "endless_body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 2_000_000, STAYS], MalformedReply),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_no_answer_is_an_error_of_the_network(sides, case):
    """Every failure is one of the kinds that `failures` knows, within the time, and the connection is done with."""
    pieces, kind = BAD[case]

    async with asyncio.timeout(5):
        found, usable = await exchange(sides, *pieces)

    assert isinstance(found, kind)
    assert isinstance(found, OSError) and not usable


async def test_a_request_says_what_it_must(sides):
    """Host, length and the caller's headers, the body as it is; twice on one connection."""
    seen = []

    async def serve(reader, writer):
        while True:
            seen.append(await request_from(reader))
            writer.write(answer())

    async with peer(serve, tls=sides[0]) as port:
        wire = await wire_to(port, sides[1])
        for request in (ASK, Request("GET", "/v3/scopes?a=%20")):
            wire.write(request)
            await wire.answer(2)
        wire.abort()

    head, body = seen[0]
    assert head == ("POST /v3/mail/send HTTP/1.1\r\nHost: api.example\r\nAccept-Encoding: identity\r\n"
                       "User-Agent: outreach-stream\r\nAuthorization: Bearer k\r\nContent-Length: 7\r\n\r\n")
    assert body == b'{"a":1}'
    assert seen[1][0].startswith("GET /v3/scopes?a=%20 HTTP/1.1\r\n") and "ontent-" not in seen[1][0]


@pytest.mark.parametrize("header", ["KEY\r\nX-Evil: 1", "KEY\n", "KEY\r", " KEY", "KEY ", "KEY\0", "KEYÜ", "KEY\u2028"])
async def test_a_header_cannot_become_two(sides, header):
    """What cannot stand in a header is refused before a byte is written, without repeating it."""
    async def serve(reader, writer):
        assert await reader.read(1) == b""

    async with peer(serve, tls=sides[0]) as port:
        wire = await wire_to(port, sides[1])
        with pytest.raises(MisconfiguredEngine) as refused:
            wire.write(Request("GET", "/", {"Authorization": header}))
        with pytest.raises(MisconfiguredEngine):
            wire.write(Request("GET", "/a b\r\nX-Evil: 1", {}))
        assert wire.usable and not wire.unsent
        wire.abort()

    assert "KEY" not in str(refused.value) and refused.value.__cause__ is None


@pytest.mark.parametrize("said", [b"", WHOLE, b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"\x15\x03"])
async def test_a_connection_that_spoke_unasked_is_not_used(sides, said):
    """An answer to nobody must not be taken for that to the next request."""
    spoken = asyncio.Event()

    async def serve_and_speak(reader, writer):
        await request_from(reader)
        writer.write(answer())
        await spoken.wait()
        writer.write(said) if said else writer.close()
        await asyncio.sleep(STAYS)

    async with peer(serve_and_speak, tls=sides[0]) as port:
        wire = await wire_to(port, sides[1])
        wire.write(ASK)
        await wire.answer(2)
        assert wire.usable
        spoken.set()
        await asyncio.sleep(0.1)
        assert not wire.usable
        wire.write(ASK)
        assert wire.unsent
        with pytest.raises(OSError):
            await wire.answer(2)
        wire.abort()


@pytest.mark.parametrize("used", [False, True])
async def test_what_the_loop_has_not_read_counts_too(used):
    """The server has closed, and our event loop has not come to reading it: it is known all the same."""
    closed = asyncio.Event()

    async def serve(reader, writer):
        if used:
            await request_from(reader)
            writer.write(answer())
        await closed.wait()
        writer.transport.abort()

    async with peer(serve) as port:
        wire = await wire_to(port)
        if used:
            wire.write(ASK)
            await wire.answer(2)
        wire._transport.pause_reading()
        assert wire.usable
        closed.set()
        await asyncio.sleep(0.05)

        assert wire._error is None and not wire.usable
        wire.abort()
