"""What may be ordered when, and the records that say it: decisions on values."""

import pytest

from outreach_stream.domain.control import Control, EngineThrottle, RunOrder, Subject, control_key
from outreach_stream.domain.states import RunState
from outreach_stream.gateway.runs.orders import Order, objection, resume_records, run_record, stop_record
from outreach_stream.streaming.orders import feeding
from tests.gateway.records import status

ORDERS: tuple[Order, ...] = ("cancel", "pause", "resume")


def control(*matters: str) -> Control:
    """Something is ordered about run `r`."""
    told = Control()
    for matter in matters:
        told.note(f"run:r:{matter}".encode(), RunOrder(at=1.0, by="test").encode())
    return told


@pytest.mark.parametrize("state", [RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED, RunState.REFUSED])
def test_nothing_is_ordered_of_a_run_that_goes_on_no_more(state: RunState) -> None:
    """An ended or refused run answers every order with what it is."""
    for order in ORDERS:
        assert state.value.lower() in (objection(order, status("r", state), control("pause")) or "").lower()


@pytest.mark.parametrize(("matters", "allowed"), [
    ((), {"cancel", "pause"}), (("pause",), {"cancel", "pause", "resume"}), (("cancel",), {"cancel"}),
    (("cancel", "pause"), {"cancel"}),
])
def test_what_may_be_ordered_of_a_run_under_way(matters: tuple[str, ...], allowed: set[str]) -> None:
    """Cancelling is for good; only what is paused is resumed; an order may be repeated."""
    running = status("r", RunState.SENDING)

    assert {order for order in ORDERS if objection(order, running, control(*matters)) is None} == allowed


def test_orders_are_taken_back_by_the_record_that_follows() -> None:
    """Pause and resume share a key, so that the later one holds; cancel has one of its own."""
    told = Control()
    for order in ("pause", "cancel", "resume"):
        told.note(*run_record(order, "r", by="test", at=5.0)[:2])

    assert told.cancelled("r")
    assert not told.paused("r")


def test_an_engine_is_resumed_from_all_that_holds_it() -> None:
    """Fuse and throttle are both taken back; for an engine that nothing holds there is nothing to write."""
    told, throttle = Control(), EngineThrottle(until=100.0, factor=0.5, at=90.0)
    told.note(*stop_record("relay", "no credit", by="test", at=5.0)[:2])
    told.note(control_key(Subject("engine", "relay"), "throttle"), throttle.encode())

    for record in resume_records("relay", told, now=95.0):
        told.note(record.key or b"", record.value)

    assert told.fuse("relay") is None
    assert told.throttle("relay") is None
    assert resume_records("relay", told, now=95.0) == []


@pytest.mark.parametrize(("key", "value"), [
    (b"run:r:pause", b"{}"), (b"run:r:sing", b'{"at": 1}'), (b"\xff", None), (b"", b"x"),
    (b"engine:relay:fuse", b"not JSON"),
])
def test_what_cannot_be_read_changes_nothing(key: bytes, value: bytes | None) -> None:
    """A bad record in `control` is passed over: the orders that hold go on holding."""
    told = control("cancel")

    feeding(told)(key, value)

    assert told.cancelled("r")
    assert not told.paused("r")
