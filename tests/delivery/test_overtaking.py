"""An order in mid-run is obeyed at once, whoever stands before those whom it is about."""

import asyncio

import pytest

from outreach_stream.domain.control import RunOrder, Subject
from outreach_stream.domain.outcomes import Transient
from outreach_stream.domain.states import RecipientStatus

from .conftest import NOW, RUN, World, request

THE_RUN, ORDER = Subject("run", RUN), RunOrder(at=NOW, by="ann")


@pytest.mark.parametrize("matter", ["cancel", "pause"])
async def test_an_order_does_not_wait_for_an_engine_that_is_away(world: World, matter: str) -> None:
    """Another run's mail has the only place, and keeps it: this run's end, or are put off, all the same."""
    world.engine.unreachable = Transient("refused")
    sender = world.sender()
    sender.places = 1
    sender.put(request(0, run_id="other"), request(1, run_id="other"), *(request(i) for i in range(20)))
    await asyncio.sleep(0.02)
    sender.order(THE_RUN, matter, ORDER)
    await sender.until(lambda: len(sender.results) + len(sender.put_off()) == 20, seconds=2)
    assert all(result.status is RecipientStatus.CANCELLED for result in sender.results)
    assert len(sender.results) == (20 if matter == "cancel" else 0)
    sender.order(THE_RUN, matter, None)
    world.engine.unreachable = None
    await sender.until(lambda: len(sender.results) == 22 and not sender.put_off())
    assert [world.mailed(i) for i in range(20)] == [0 if matter == "cancel" else 1] * 20
    assert not any(result.possible_duplicate for result in sender.results)
