"""Every exception that h11, asyncio or ssl can bring out of a connection has a meaning for the mail."""

import asyncio
import builtins
import inspect
import socket
import ssl

import h11
import pytest

from outreach_stream.domain.outcomes import EngineStopped, InDoubt, Transient
from outreach_stream.engines.failures import MalformedReply, MisconfiguredEngine, network_failure
from outreach_stream.engines.http_wire import HttpWire, Request
from outreach_stream.values import UnresolvedReference


def exceptions_of(module) -> set[type[Exception]]:
    return {found for name, found in inspect.getmembers(module, inspect.isclass)
            if issubclass(found, Exception) and not name.startswith("_")}


NEVER = {
    # asyncio: of streams, queues, barriers, runners and subprocesses, none of which a connection uses
    asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.QueueEmpty, asyncio.QueueFull,
    asyncio.QueueShutDown, asyncio.BrokenBarrierError, asyncio.SendfileNotAvailableError,
    # asyncio: of a future that is finished twice, which `HttpWire` looks at before
    asyncio.InvalidStateError,
    # h11: translated where it is met, as the next test shows
    h11.ProtocolError, h11.LocalProtocolError, h11.RemoteProtocolError,
}
"""What cannot come out, and why."""

OS = {found for found in exceptions_of(builtins) if issubclass(found, OSError)}
OURS = {MalformedReply, MisconfiguredEngine, UnresolvedReference, UnicodeError}
MET = (exceptions_of(asyncio) | exceptions_of(ssl) | exceptions_of(socket) | exceptions_of(h11) | OS | OURS) - NEVER


def made(kind: type[Exception]) -> Exception:
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", sorted(MET, key=lambda kind: kind.__name__))
def test_each_has_a_meaning(kind):
    """None is a bug; before the hand-over nothing is in doubt; after it exactly the network's failures are."""
    before = network_failure("send", made(kind), handed_over=False)
    after = network_failure("send", made(kind), handed_over=True)

    assert type(before) in (Transient, EngineStopped)
    assert type(after) is (InDoubt if type(before) is Transient else EngineStopped)


def test_only_a_certificate_stops_the_engine_of_what_a_network_does():
    """A mistrusted certificate is no passing failure, and everything else of a network may be."""
    stops = {kind for kind in MET - OURS
             if type(network_failure("connect", made(kind), handed_over=False)) is EngineStopped}

    assert stops == {ssl.SSLCertVerificationError}


def test_h11_is_translated_where_it_is_met():
    """What we may not send is misconfigured, what we may not receive is malformed: h11's own never come out."""
    async def met() -> Exception:
        wire = HttpWire("api.example")
        with pytest.raises(MisconfiguredEngine):
            wire.write(Request("GET", "/", {"a b": "c"}))
        wire._asked = True
        wire.data_received(b"\x00\r\n\r\n")
        with pytest.raises(MalformedReply) as malformed:
            await wire.answer(1)
        return malformed.value

    assert isinstance(asyncio.run(met()), OSError)


def test_a_bug_is_no_outcome():
    """What is nobody's network is raised again."""
    for bug in (KeyError("x"), TypeError("x"), asyncio.CancelledError()):
        with pytest.raises(type(bug)):
            network_failure("send", bug, handed_over=False)
