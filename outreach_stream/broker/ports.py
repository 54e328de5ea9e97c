"""Ports on loopback for the embedded broker."""

import random
import socket
from contextlib import ExitStack, suppress

from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.broker.properties import LOOPBACK, Ports

UNASSIGNED = range(20_000, 32_768)
"""Where free ports are looked for: below those the system gives to outgoing connections.

A client that tries again and again to reach a broker that is down would some day be given the very port it calls,
be connected to itself, and keep the broker from coming back.
"""

TRIES = 100


def choose_ports(wanted: int, earlier: int = 0) -> Ports:
    """`wanted` for clients (0: `earlier` if that is free, else any free one) and a free one for the controller.

    They are free now; Kafka binds them a second later. Raises `BrokerStartError` if `wanted` is taken.
    """
    with ExitStack() as both_held:
        broker = both_held.enter_context(_bound(wanted) if wanted else _bound_again(earlier)).getsockname()[1]
        controller = both_held.enter_context(_bound_anywhere(besides=broker)).getsockname()[1]
        return Ports(broker, controller)


def _bound_again(earlier: int) -> socket.socket:
    if earlier:
        with suppress(BrokerStartError):
            return _bound(earlier)
    return _bound_anywhere()


def _bound_anywhere(*, besides: int = 0) -> socket.socket:
    for port in random.sample(UNASSIGNED, TRIES):
        if port == besides:     # two that do not listen yet may have the same one
            continue
        try:
            return _bound(port)
        except BrokerStartError:
            continue
    raise BrokerStartError(f"No port of {LOOPBACK} is free between {UNASSIGNED.start} and {UNASSIGNED.stop}.")


def _bound(port: int) -> socket.socket:
    probe = socket.socket()
    # What an earlier broker's connections left behind (TIME_WAIT) is no hindrance; it isn't to Kafka either.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError as error:
        probe.close()
        raise BrokerStartError(
            f"Port {port} of {LOOPBACK} cannot be had ({error.strerror}). Choose another, or 0 for any.") from error
    return probe
