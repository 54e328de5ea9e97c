"""What the configuration of every kind of engine has: its id, its limits, and how a kind is told to the registry."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from outreach_stream.domain.lanes import default_burst
from outreach_stream.domain.ports import Engine, Finding
from outreach_stream.values import (
    ENVIRONMENT_REFERENCE,
    Identifier,
    Strict,
    UnresolvedReference,
    read_environment,
)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which a secret may travel in clear."""

NOT_VERIFIED = ("verify_certificates is off: whoever stands in between can read the credentials and every mail. "
                "Give a ca_file instead")

_PORTS = range(1, 65_536)


class EngineConfig(Strict):
    """What every kind of engine has: an id and its limits. A kind's configuration adds its own fields."""

    provider_tells_rate: ClassVar[bool] = False
    """Whether the provider of this kind says how fast it may be used, which counts where `rate` is None."""

    id: Identifier
    kind: str
    """Which kind of engine it is; a kind narrows it to its own name: `kind: Literal["smtp"]`."""
    rate: float | None = Field(default=None, gt=0, le=100_000)
    """Mails per second over all workers; None: unlimited, or what the provider says when it says so."""
    burst: float | None = Field(default=None, ge=1)
    """Mails that may go at once above the rate; None: a tenth of the rate, at least 1."""
    hourly: int | None = Field(default=None, ge=1)
    """Mails in any hour over all workers, beside the rate; None: no cap. Each lane has its share of it."""
    daily: int | None = Field(default=None, ge=1)
    """Mails in any 24 hours over all workers; None: no cap."""
    concurrency: int = Field(default=10, ge=1, le=1_000)
    """Attempts in flight per process, each on a connection of its own."""
    lanes: int | None = Field(default=None, ge=1, le=1_024)
    """Lanes its mails are spread over; None: as many as the layout has. Fewer for a very slow engine."""

    @property
    def effective_burst(self) -> float | None:
        """Mails that may go at once; None: the rate is unlimited, or the provider's, and so is what fits to it."""
        if self.rate is None:
            return self.burst if self.provider_tells_rate else None
        return self.burst or default_burst(self.rate)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works and should not be left so (`verify_certificates` turned off): told at every start and check."""
        return ()

    @property
    def delivers(self) -> bool:
        """Whether a mail that it takes is to arrive; not in a provider's test mode, nor in a rehearsal."""
        return True


@dataclass(frozen=True, slots=True)
class EngineKind[C: EngineConfig]:
    """A kind of engine, as the registry knows it."""

    config: type[C]
    """What a catalog file of this kind may say."""
    build: Callable[[C], Engine]
    """Touches neither network nor files."""
    check: Callable[[C, Sequence[str]], AsyncIterator[Finding]]
    """The preflight of `outreach engine check`, in order, as far as it comes; the senders are those of the workflows
    that name the engine. Makes each request once, raises nothing for what a network or a provider can do, and sends
    no mail."""


def _check_port(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value in _PORTS
    if not number and not (isinstance(value, str) and ENVIRONMENT_REFERENCE.fullmatch(value)):
        raise ValueError('must be a number from 1 to 65535, or "env:NAME"')
    return value


Port = Annotated[int | str, BeforeValidator(_check_port)]
"""A port, or `env:NAME`."""


def looked_up(text: str) -> str:
    """`text` itself, or the variable's value if it is `env:NAME`; raises `UnresolvedReference`."""
    return read_environment(text.removeprefix("env:")) if text.startswith("env:") else text


def port_number(port: int | str) -> int:
    """The port, looked up; raises `UnresolvedReference` when the variable is unset or holds no port number."""
    if isinstance(port, int):
        return port
    text = looked_up(port)
    if not (text.isascii() and text.isdecimal() and int(text) in _PORTS):
        name = port.removeprefix("env:")
        raise UnresolvedReference(f"environment variable {name} must be a port number from 1 to 65535")
    return int(text)
