"""Messages coupled over one connection: the next one's commands go with the body of the one before (RFC 2920)."""

import asyncio

import pytest

from outreach_stream.domain.outcomes import (
    Accepted,
    InDoubt,
    MessageRejected,
    RecipientRejected,
    SenderBlocked,
    Throttled,
    Transient,
)
from outreach_stream.engines import smtp_transaction
from tests.engines.chained import Queue, Server, asked, chained, lent, mail, written

MEANING = {
    "fine": (Accepted, None), "mail": (SenderBlocked, "mail_550_5.7.1"), "mail-busy": (Transient, "mail_451_4.3.0"),
    "rcpt": (RecipientRejected, "rcpt_550_5.1.1"), "data": (Transient, "data_451_4.3.1"),
    "dot": (MessageRejected, "dot_554_5.6.0"), "dot-busy": (Transient, "dot_452_4.3.1"),
    "dot-fast": (Throttled, "dot_451_4.7.1"),
}
BIG = b"0123456789abc\r\n" * 10_000


async def test_the_next_goes_with_the_body_in_one_write():
    """One write for each message, when another follows; none of the chain is asked for before it is needed."""
    async with chained() as (engine, server), lent(engine) as connection:
        writes, queue = written(connection), Queue("fine", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted] * 3 and connection.handed_over and connection.reusable
        assert queue.ended_at == [2, 3, 3] and queue.gone == 3
        assert [(data.count(b"MAIL FROM"), data.count(b"\r\n.\r\n")) for data in writes] == [(1, 0), (1, 1), (1, 1),
                                                                                            (0, 1)]
        assert server.taken == ["fine"] * 3 and "RSET" not in server.told


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("name", MEANING)
async def test_a_refusal_is_that_of_its_own_message(name, pipelining):
    """Whichever command of a coupled group is refused: those before and after go on, on the same connection."""
    async with chained(server=Server(pipelining=pipelining)) as (engine, server), lent(engine) as connection:
        queue = Queue("fine", name, "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.met == [MEANING["fine"], MEANING[name], MEANING["fine"], MEANING["fine"]]
        assert server.connections == 1 and connection.reusable
        assert server.taken == ["fine"] * (3 + (name == "fine"))


async def test_a_refused_body_does_not_stop_the_one_that_was_begun():
    """Its MAIL is already there: it goes on, and no RSET of ours throws it away."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue("dot", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [MessageRejected, Accepted] and queue.ended_at == [2, 2]
        assert "RSET" not in server.told


async def test_a_server_that_forgets_nothing_after_a_refused_body_costs_nobody():
    """It calls the MAIL that is already there nested (503): that goes over a fresh connection."""
    server = Server()
    server.nested = "503 5.5.1 nested MAIL"
    async with chained(server=server) as (engine, _), lent(engine) as connection:
        queue = Queue("dot", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [MessageRejected, Accepted, Accepted]
        assert server.connections == 2


async def test_nothing_is_begun_ahead_after_a_refusal():
    """Until the server has taken a message again, one is asked after the other."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue("rcpt", "fine", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.ended_at == [1, 2, 4, 4]
        assert server.told.count("RSET") == 1


async def test_no_body_for_who_says_354_after_a_refusal():
    """RFC 2920 section 3.1 allows it: the chain ends there, with nothing handed over."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue("fine", "rcpt-354", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted, RecipientRejected] and queue.begun == 2
        assert not connection.reusable and not connection.handed_over
        assert server.taken == ["fine"]


@pytest.mark.parametrize(("name", "expected"), [("dot-421", Transient), ("dot-354", InDoubt)])
async def test_a_last_word_to_one_message_is_not_about_the_next(name, expected):
    """421 to the body: who was begun with it had nothing taken, and goes over a fresh connection."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue(name, "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [expected, Accepted, Accepted]
        assert server.connections == 2 and server.taken == ["fine"] * 2


@pytest.mark.parametrize(("name", "reason"), [
    ("dot-lost", "mail_connection_lost"), ("dot-nonsense", "mail_malformed_reply")])
async def test_only_whose_body_was_written_is_in_doubt(name, reason):
    """The connection is lost with one body unanswered and one message begun."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue("fine", name, "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted, InDoubt, Transient] and queue.met[2][1] == reason
        assert not connection.handed_over and not connection.reusable
        assert server.connections == 1


async def test_a_silent_server_leaves_one_in_doubt():
    """No answer to a body in time, nor to the commands after it."""
    async def serve(reader, writer):
        await asked(reader, writer)
        await reader.read(-1)
    limits = {"command": "100ms", "data": "200ms"}
    async with chained(serve=serve, timeouts=limits) as (engine, _), lent(engine) as connection:
        queue = Queue("fine", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.met == [(InDoubt, "dot_timeout"), (Transient, "mail_timeout")]


@pytest.mark.parametrize("last", ["", "421 4.3.2 that was the last one\r\n"])
async def test_a_server_that_closes_after_some_messages_costs_nobody(last):
    """Who was begun meanwhile goes over a fresh connection, as over a stale one."""
    class Closing(Server):
        async def _session(self, reader, writer):
            await super()._session(reader, writer)
            writer.write(last.encode())

    server = Closing()
    server.patience = 2
    async with chained(server=server) as (engine, _), lent(engine) as connection:
        queue = Queue(*["fine"] * 5)
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted] * 5
        assert server.connections == 3 and server.taken == ["fine"] * 5


async def test_a_large_body_goes_alone():
    """It takes many writes, and its answer may be no: nobody is begun behind it, but it may follow others."""
    async with chained() as (engine, server), lent(engine) as connection:
        assert len(BIG) > smtp_transaction._CHUNK
        queue = Queue("fine", mail("fine", BIG), "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted] * 4 and queue.ended_at == [2, 2, 4, 4]
        assert server.taken == ["fine"] * 4


async def test_without_pipelining_one_follows_the_other():
    """Each command waits for the answer to the one before."""
    async with chained(server=Server(pipelining=False)) as (engine, server), lent(engine) as connection:
        queue = Queue("fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted] * 2 and queue.ended_at == [1, 2]
        assert server.taken == ["fine"] * 2


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("refused", [1, 2])
async def test_who_is_not_to_go_any_more_does_not(refused, pipelining):
    """After 354 there is no way back but to hang up: no byte of the body goes, and nobody is asked after it."""
    async with chained(server=Server(pipelining=pipelining)) as (engine, server), lent(engine) as connection:
        writes, queue = written(connection), Queue(*["fine"] * 4, go=lambda turn: turn < refused)
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted] * (refused - 1) + [Transient] and queue.begun == refused
        assert b"".join(writes).count(b"Hello") == refused - 1 == server.bodies
        assert not connection.handed_over and not connection.reusable


async def test_a_connection_is_not_used_beyond_its_messages():
    """Neither for those that are begun ahead nor for those that are not."""
    async with chained(connections={"max_messages": 3}) as (engine, server):
        queue = Queue(*["fine"] * 7)
        for most in (3, 6, 7):
            async with lent(engine) as connection:
                await connection.hand_over_all(queue)
            assert queue.kinds == [Accepted] * most and queue.begun == most
        assert server.connections == 3


async def test_one_that_no_server_would_take_ends_in_its_turn():
    """Nothing is said of it, and those around it go on."""
    async with chained() as (engine, server), lent(engine) as connection:
        queue = Queue("fine", "a b", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.met == [(Accepted, None), (RecipientRejected, "malformed_address"), *[(Accepted, None)] * 2]
        assert server.taken == ["fine"] * 3 and connection.reusable


async def test_an_empty_chain_says_nothing():
    """No message, no byte."""
    async with chained() as (engine, server), lent(engine) as connection:
        await connection.hand_over_all(Queue())
        assert server.told == [] and connection.reusable and not connection.handed_over


@pytest.mark.parametrize(("answered", "kinds"), [(b"", []), (b"250 2.0.0 ok\r\n", [Accepted])])
async def test_at_most_two_have_not_ended_when_it_is_cancelled(answered, kinds):
    """The older may be out while its body is unanswered; of the one begun after it nothing is."""
    reached = asyncio.Event()

    async def serve(reader, writer):
        await asked(reader, writer)
        await reader.readuntil(b"DATA\r\n")
        writer.write(answered)
        reached.set()
        await reader.read(-1)

    async with chained(serve=serve) as (engine, _), lent(engine) as connection:
        queue = Queue("fine", "fine", "fine")
        task = asyncio.create_task(connection.hand_over_all(queue))
        async with asyncio.timeout(5):
            while not reached.is_set() or len(queue.outcomes) < len(kinds):
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (queue.begun, queue.gone, queue.kinds) == (2, 1, kinds)
        assert connection.handed_over is not bool(kinds) and not connection.reusable


async def test_over_tls(certificates):
    """What goes together within TLS is the same; a refusal in the middle, too."""
    secured = {"host": "localhost", "security": "tls", "ca_file": str(certificates.authority)}
    async with chained(ssl=certificates.server, **secured) as (engine, server), lent(engine) as connection:
        queue = Queue("fine", "fine", "dot", "fine", mail("fine", BIG), "rcpt", "fine", "fine", "fine")
        await connection.hand_over_all(queue)
        assert queue.kinds == [Accepted, Accepted, MessageRejected, Accepted, Accepted, RecipientRejected,
                               *[Accepted] * 3]
        assert server.connections == 1 and connection.reusable and connection.wire.ssl_object
