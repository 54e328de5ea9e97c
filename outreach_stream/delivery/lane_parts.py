"""What a lane works with."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from outreach_stream.delivery.couriers import Couriers
from outreach_stream.delivery.deliver import Delivery
from outreach_stream.delivery.groups import Groups
from outreach_stream.delivery.mover import Moved
from outreach_stream.delivery.quota import Quota
from outreach_stream.delivery.recorder import Recorder
from outreach_stream.delivery.sent import SentRecord
from outreach_stream.domain.control import Control
from outreach_stream.domain.ports import Brief, Copies, Ledgered, SpecAway

log = structlog.get_logger()

SPEC_SECONDS = 30.0
"""Until a request is looked at again whose spec is not in view."""

type Running = asyncio.Task[None]
type Spawn = Callable[[Coroutine[Any, Any, None]], Running]
"""Runs a coroutine as a task whose failure stops the worker: a lane that stands still would say nothing."""
type Briefs = Callable[[str], Coroutine[Any, Any, Brief]]
"""What is to be known of a spec, by digest; waits for one that has not been seen yet, but not long: `SpecAway`."""
type HasLeft = Callable[[str, str], bool]
"""Whether somebody has left a list, by its name and their address; must not wait."""


def nobody_has_left(_list: str, _email: str) -> bool:
    """Nobody has left any list."""
    return False


@dataclass(frozen=True, slots=True)
class LaneParts:
    """All of it."""

    delivery: Delivery
    couriers: Couriers
    table: Copies
    record: SentRecord
    quota: Quota
    recorder: Recorder
    mover: Groups[Moved]
    briefs: Briefs
    control: Control
    own_work: Callable[[], Ledgered]
    """The ledger's place for a request that comes from the lane's table."""
    spawn: Spawn
    unsubscribed: HasLeft

    async def brief(self, spec: str) -> Brief | None:
        """What is to be known of a spec; None: it has not come into view."""
        try:
            return await self.briefs(spec)
        except SpecAway as error:
            log.warning("spec_not_in_view", digest=str(error))
            return None
