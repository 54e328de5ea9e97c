"""Where each engine stands: what the catalog allows it, and what is ordered of it."""

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel

from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.delivery.throttle import factor_at
from outreach_stream.domain.clock import iso
from outreach_stream.domain.control import Control
from outreach_stream.engines.config import EngineConfig


class EngineState(BaseModel):
    """One engine: its limits over all workers, and whether it takes mail."""

    id: str
    kind: str | None
    """null: its file in the catalog cannot be read, so that only what is ordered of it is known."""
    rate: float | None
    """Mails per second, as the catalog has it; null: see `rate_by`."""
    rate_by: Literal["catalog", "provider"] | None
    """Who limits it: the catalog, or the provider, which tells the senders when they connect; null: it is unlimited."""
    hourly: int | None
    daily: int | None
    """Mails in any hour, in any 24 hours; null: no cap."""
    state: Literal["ok", "throttled", "stopped"] = "ok"
    reason: str | None = None
    """What the provider or the operator said."""
    since: str | None = None
    until: str | None = None
    """When a throttled one sends again; null: it does already."""
    factor: float | None = None
    """Part of its rate that a throttled one uses now, or begins with at `until`; it climbs back from there."""
    by: str | None = None
    """Who stopped it."""
    warnings: tuple[str, ...] = ()
    """What works and should not be left so in its catalog entry."""


def engine_state(engine: EngineConfig, control: Control, now: float) -> EngineState:
    """Where the engine stands at `now`."""
    rate_by: Literal["catalog", "provider"] | None = (
        "catalog" if engine.rate else "provider" if engine.provider_tells_rate else None)
    return _ordered(EngineState(id=engine.id, kind=engine.kind, rate=engine.rate, rate_by=rate_by, hourly=engine.hourly,
                                daily=engine.daily, warnings=engine.warnings), control, now)


def _ordered(state: EngineState, control: Control, now: float) -> EngineState:
    if fuse := control.fuse(state.id):
        return state.model_copy(update={"state": "stopped", "reason": fuse.reason or None, "since": iso(fuse.at),
                                        "by": fuse.by or None})
    if (throttle := control.throttle(state.id)) and (factor := factor_at(throttle, now)) < 1:
        return state.model_copy(update={"state": "throttled", "reason": throttle.reason or None,
                                        "since": iso(throttle.at), "factor": factor,
                                        "until": iso(throttle.until) if now < throttle.until else None})
    return state


def engine_states(catalog: Catalog, control: Control, now: float) -> list[EngineState]:
    """All engines of the catalog, by id."""
    return [engine_state(catalog.engines[engine], control, now) for engine in sorted(catalog.engines)]


def ordered_states(
    control: Control, now: float, *, besides: Collection[str] = (), named: Collection[str] = (),
) -> list[EngineState]:
    """What is known without the catalog: those that are stopped or throttled, and those `named`; by id."""
    bare = {engine: EngineState(id=engine, kind=None, rate=None, rate_by=None, hourly=None, daily=None)
            for engine in {*control.engines, *named}.difference(besides)}
    states = [_ordered(bare[engine], control, now) for engine in sorted(bare)]
    return [state for state in states if state.state != "ok" or state.id in named]
