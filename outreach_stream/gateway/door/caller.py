"""Who asks. The door (`access`) finds it out; whatever is done for a request can say so."""

from contextvars import ContextVar
from dataclasses import dataclass

from outreach_stream.gateway.door.tokens import SCOPES, Scope

SOURCE = "gateway"


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a token, or anyone."""

    name: str | None
    """None: nobody was asked for a token."""
    scopes: frozenset[Scope]


ANYONE = Caller(None, frozenset(SCOPES))
"""Where no tokens are configured."""
NOBODY = Caller(None, frozenset())
"""Whoever asks for what is open to all."""

caller: ContextVar[Caller] = ContextVar("caller", default=NOBODY)
"""Of the request that this task serves."""


def source() -> str:
    """What a trigger's `source` and an order's `by` say: the gateway, and whose token it was."""
    name = caller.get().name
    return f"{SOURCE}:{name}" if name else SOURCE
