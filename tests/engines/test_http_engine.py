"""What all HTTP engines promise about one attempt, against servers that fail at every point of it."""

import asyncio
import socket

import pytest

from outreach_stream.domain.outcomes import Accepted, EngineStopped, InDoubt, MessageRejected, Transient
from tests.engines.http_peer import answer, peer, request_from
from tests.engines.plain_http import MAIL, Plain, engine_at


class Api:
    """Answers everything with yes, and remembers each connection's requests."""

    def __init__(self, *headers: str) -> None:
        self.headers = headers
        self.connections: list[list[str]] = []
        self.close = asyncio.Event()

    async def __call__(self, reader, writer):
        mine: list[str] = []
        self.connections.append(mine)
        while True:
            asked = asyncio.ensure_future(request_from(reader))
            closed = asyncio.ensure_future(self.close.wait())
            await asyncio.wait({asked, closed}, return_when=asyncio.FIRST_COMPLETED)
            if closed.done():
                self.close.clear()
                return
            mine.append(asked.result()[0].split(" ")[1])
            writer.write(answer(b"id", "200 OK", *self.headers))
            if "Connection: close" in self.headers:
                return


async def sent(engine, mail=MAIL):
    connection = await engine.acquire()
    outcome = await connection.hand_over(mail)
    engine.release(connection)
    return outcome


async def test_connections_are_used_again():
    """Mail after mail goes over one connection, prepared once."""
    api, provider = Api(), Plain()
    async with peer(api) as port:
        engine = engine_at(port, provider)
        outcomes = [await sent(engine) for _ in range(3)]
        await engine.close()
        assert await engine.acquire() == Transient("engine_closed")

    assert outcomes == [Accepted("id")] * 3
    assert api.connections == [["/send"] * 3] and provider.prepared == 1


async def test_a_server_that_closes_after_each_answer_is_taken_as_it_is():
    """`Connection: close` costs connections and nothing else: not even that of `prepare` is asked twice."""
    api, provider = Api("Connection: close"), Plain(asks=True)
    async with peer(api) as port:
        engine = engine_at(port, provider)
        outcomes = [await sent(engine) for _ in range(2)]
        await engine.close()

    assert outcomes == [Accepted("id")] * 2
    assert api.connections == [["/quota"], ["/send"]] * 2 and provider.prepared == 2


async def test_a_connection_closed_while_it_lay_idle_is_replaced():
    """Nothing was written on it, so nothing is in doubt: neither in the pool nor in the hand of the sender."""
    api, provider = Api(), Plain()
    async with peer(api) as port:
        engine = engine_at(port, provider)
        assert await sent(engine) == Accepted("id")
        api.close.set()
        await asyncio.sleep(0.05)
        connection = await engine.acquire()
        api.close.set()
        await asyncio.sleep(0.05)
        outcome = await connection.hand_over(MAIL)
        engine.release(connection)
        await engine.close()

    assert outcome == Accepted("id") and connection.messages == 1
    assert api.connections == [["/send"], [], ["/send"]] and provider.prepared == 3


async def test_what_replaces_a_connection_may_fail():
    """The attempt then ends as if there had never been a connection."""
    api, provider = Api(), Plain()
    async with peer(api) as port:
        engine = engine_at(port, provider)
        connection = await engine.acquire()
        api.close.set()
        await asyncio.sleep(0.05)
        provider.refusal = EngineStopped("prepare_401")
        outcome = await connection.hand_over(MAIL)

        assert outcome == provider.refusal
        assert not connection.handed_over and not connection.reusable
        engine.release(connection)


@pytest.mark.parametrize("end", ["closes", "resets", "silent", "half"])
async def test_no_whole_answer_leaves_the_mail_in_doubt(end):
    """The request was written: it is told so, asked once, and the connection is not used again."""
    requests = []

    async def serve(reader, writer):
        requests.append(await request_from(reader))
        if end == "half":
            writer.write(answer(b"id")[:-1])
        if end in ("silent", "half"):
            await asyncio.sleep(30)
        writer.transport.abort() if end == "resets" else writer.close()

    async with peer(serve) as port:
        engine = engine_at(port)
        connection = await engine.acquire()
        outcome = await connection.hand_over(MAIL)

        assert type(outcome) is InDoubt
        assert outcome.reason == ("send_timeout" if end in ("silent", "half") else "send_connection_lost")
        assert connection.handed_over and not connection.reusable and len(requests) == 1
        engine.release(connection)


async def test_what_is_no_http_leaves_the_mail_in_doubt():
    """Whoever is at the other end has read the mail."""
    async def serve(reader, writer):
        await request_from(reader)
        writer.write(b"250 Ok\r\n\r\n")
        await asyncio.sleep(30)

    async with peer(serve) as port:
        outcome = await sent(engine_at(port))

    assert type(outcome) is InDoubt and outcome.reason == "send_malformed_reply"


async def test_cancelled_in_flight():
    """The caller is told that it may have been taken; the connection is closed at once and discarded."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        await request_from(reader)
        asked.set()
        try:
            await reader.read()
        finally:
            gone.set()

    async with peer(serve) as port:
        engine = engine_at(port, concurrency=1)
        connection = await engine.acquire()
        attempt = asyncio.create_task(connection.hand_over(MAIL))
        await asyncio.wait_for(asked.wait(), 5)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        assert connection.handed_over and not connection.reusable
        await asyncio.wait_for(gone.wait(), 5)
        engine.release(connection)
        other = await asyncio.wait_for(engine.acquire(), 5)
        assert other is not connection
        engine.release(other)
        await engine.close()


async def test_the_first_byte_is_written_before_the_first_wait():
    """A check made just before `hand_over` still holds when the mail leaves: nothing else runs in between."""
    listening = socket.create_server(("127.0.0.1", 0))
    engine = engine_at(listening.getsockname()[1])
    connection = await engine.acquire()
    accepted, _ = listening.accept()

    attempt = connection.hand_over(MAIL)
    attempt.send(None)  # runs to the first await, and nothing of the event loop
    arrived = accepted.recv(4, socket.MSG_DONTWAIT)

    assert arrived == b"POST" and connection.handed_over
    with pytest.raises(asyncio.CancelledError):
        attempt.throw(asyncio.CancelledError)
    accepted.close()
    listening.close()


@pytest.mark.parametrize("key", ["MARK\r\nX-Evil: 1", "MARKÄ"])
async def test_unfit_credentials_stop_the_engine(key):
    """They would be unfit for everybody: nothing is written, and they are not repeated."""
    api = Api()
    async with peer(api) as port:
        engine = engine_at(port, Plain(key=key))
        connection = await engine.acquire()
        outcome = await connection.hand_over(MAIL)

    assert type(outcome) is EngineStopped and outcome.reason == "send_misconfigured"
    assert not connection.handed_over and not connection.reusable
    assert "MARK" not in outcome.detail and api.connections == [[]]


async def test_refused_credentials_are_read_anew():
    """After a 401 the connection is not used again: the next one reads the key as it is then."""
    async def serve(reader, writer):
        await request_from(reader)
        writer.write(answer(b"", "401 Unauthorized"))
        await asyncio.sleep(30)

    provider = Plain()
    async with peer(serve) as port:
        engine = engine_at(port, provider)
        outcomes = [await sent(engine) for _ in range(2)]

    assert outcomes == [EngineStopped("send_401")] * 2 and provider.prepared == 2


async def test_a_mail_that_cannot_be_put_touches_nothing():
    """A refusal of `request` is the outcome; the connection is as good as before."""
    class Picky(Plain):
        def request(self, message):
            return MessageRejected("message_too_large")

    api = Api()
    async with peer(api) as port:
        engine = engine_at(port, Picky())
        connection = await engine.acquire()
        outcome = await connection.hand_over(MAIL)

    assert outcome == MessageRejected("message_too_large")
    assert not connection.handed_over and connection.reusable and api.connections == [[]]
