"""Who is next: express overtakes within its fifth, and nobody starves."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.turns import PRICE, SAVED, Places, Turns

EXPRESS, BULK = True, False


class Queue:
    """Waiters at a `Places` without places, and who got one in which order."""

    def __init__(self, places: int = 0, kept: int = 0) -> None:
        self.places, self.order = Places(places, kept=kept), []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str) -> None:
        """These wait, in this order; those whose name begins with e are express."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._wait(name))
        await asyncio.sleep(0)

    async def _wait(self, name: str) -> None:
        await self.places.take(name.startswith("e"))
        self.order.append(name)

    async def give(self, count: int) -> str:
        """Free so many places; who got them."""
        before = len(self.order)
        for _ in range(count):
            self.places.give()
        await asyncio.sleep(0.001)
        return " ".join(self.order[before:])


async def test_express_overtakes_at_once() -> None:
    """A password mail does not wait behind a campaign."""
    queue = Queue()
    await queue.come("b1", "b2", "b3", "e1")
    assert await queue.give(4) == "e1 b1 b2 b3"


async def test_each_side_keeps_its_own_order() -> None:
    """First come, first served, on either side."""
    queue = Queue()
    await queue.come("b1", "e1", "b2", "e2")
    assert await queue.give(4) == "e1 e2 b1 b2"


async def test_express_that_floods_gets_a_fifth_and_bulk_the_rest() -> None:
    """What was saved up goes first, and then it is every fifth while bulk came first."""
    queue = Queue()
    await queue.come(*(f"b{i}" for i in range(100)), *(f"e{i}" for i in range(100)))
    saved = SAVED // PRICE
    assert await queue.give(saved) == " ".join(f"e{i}" for i in range(saved))
    got = (await queue.give(50)).split()
    assert [name[0] for name in got] == list("bbbbe") * 10


async def test_no_more_is_saved_up_than_that() -> None:
    """However long bulk had everything to itself: it then waits for ten express mails in a row, and not for more."""
    queue = Queue(1_000)
    await queue.come(*(f"b{i}" for i in range(1_000)))
    await queue.come(*(f"b{i}" for i in range(1_000, 1_040)), *(f"e{i}" for i in range(40)))
    got = (await queue.give(20)).split()
    assert [name[0] for name in got] == list("e" * (SAVED // PRICE) + "bbbbe" * 2)


async def test_nothing_is_reserved_while_express_has_no_work() -> None:
    """Neither for bulk alone nor for express alone is a place kept back."""
    queue = Queue(3)
    await queue.come("b1", "b2", "b3")
    assert queue.order == ["b1", "b2", "b3"]
    for _ in range(3):
        queue.places.give()
    await queue.come("e1", "e2", "e3")
    assert queue.order[3:] == ["e1", "e2", "e3"]
    assert queue.places.free == 0


@given(st.lists(st.sampled_from(["b", "e", "give"]), max_size=200))
def test_nobody_starves(steps: list[str]) -> None:
    """While both wait: a fifth for express at least, and bulk never behind more than what came first and its fifth."""
    async def run() -> None:
        queue, number = Queue(), 0
        since_express = overtaken = 0
        for step in steps:
            if step != "give":
                number += 1
                await queue.come(f"{step}{number}")
                continue
            waiting = [name for name in queue.tasks if name not in queue.order]
            both = {name[0] for name in waiting} == {"b", "e"}
            got = await queue.give(1)
            since_express = since_express + 1 if both and got.startswith("b") else 0
            first_bulk = next((int(name[1:]) for name in waiting if name.startswith("b")), number + 1)
            overtaken = overtaken + 1 if got.startswith("e") and int(got[1:]) > first_bulk else 0
            assert since_express <= PRICE
            assert overtaken <= SAVED // PRICE

    with asyncio.Runner() as runner:
        runner.run(run())


@pytest.mark.parametrize("called", [True, False], ids=["after the call", "while waiting"])
async def test_a_cancelled_waiter_takes_no_place_with_it(called: bool) -> None:
    """Whether its turn was called already or not: the next gets it."""
    queue = Queue()
    await queue.come("b1", "b2")
    if called:
        queue.places.give()
        queue.tasks["b1"].cancel()
    else:
        queue.tasks["b1"].cancel()
        queue.places.give()
    await asyncio.wait_for(queue.tasks["b2"], 1)
    assert queue.order == ["b2"]
    assert queue.tasks["b1"].cancelled()
    queue.places.give()
    assert queue.places.free == 1


async def test_a_place_is_kept_for_express() -> None:
    """Bulk leaves it alone, whoever gave it back; express takes it at once, and who is of bulk after it, waits."""
    queue = Queue(3, kept=1)
    await queue.come("b1", "b2", "b3")
    await asyncio.sleep(0.001)
    assert queue.order == ["b1", "b2"]
    await queue.come("e1")
    await asyncio.sleep(0.001)
    assert queue.order == ["b1", "b2", "e1"]
    assert not await queue.give(1)
    assert await queue.give(1) == "b3"
    for express in (True, False):
        assert queue.places.at_hand(express=express) is express


async def test_where_places_are_kept_a_flood_of_express_leaves_bulk_its_turn() -> None:
    """What is kept is for express that finds none waiting: whoever waits, waits for his turn, whatever was kept."""
    queue = Queue(2, kept=2)
    await queue.come("e0", "e1", *(f"{kind}{number}" for number in range(2, 42) for kind in "eb"))
    got = (await queue.give(50)).split()
    assert len(got) == 50
    assert sum(name.startswith("b") for name in got) >= 10


@given(st.lists(st.tuples(st.sampled_from(["come", "give", "cancel", "run"]), st.integers(0, 30)), max_size=120),
       st.integers(0, 2))
def test_places_are_neither_lost_nor_made(steps: list[tuple[str, int]], kept: int) -> None:
    """Free and held ones are as many as ever, and nobody waits while there is one for him, whoever is cancelled."""
    async def run() -> None:
        queue, held = Queue(3, kept), 0
        for number, (what, which) in enumerate(steps):
            if what == "come":
                await queue.come(f"{'be'[which % 2]}{number}")
            elif what == "give" and len(queue.order) > held:
                held += 1  # given back
                queue.places.give()
            elif what == "cancel" and queue.tasks:
                queue.tasks[list(queue.tasks)[which % len(queue.tasks)]].cancel()
            elif what == "run":
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        waiting = {name: task for name, task in queue.tasks.items() if not task.done()}
        assert len(queue.order) - held + queue.places.free == 3
        assert not any(queue.places.at_hand(express=name.startswith("e")) for name in waiting)
        for task in waiting.values():
            task.cancel()

    with asyncio.Runner() as runner:
        runner.run(run())


async def test_a_turn_that_came_to_nothing_is_first_again() -> None:
    """Who was called for nothing does not go to the end of the queue."""
    turns, order = Turns(lambda: None), []

    async def wait(name: str, *, first: bool = False) -> None:
        await turns.wait(BULK, first=first)
        order.append(name)

    tasks = [asyncio.create_task(wait("later")), asyncio.create_task(wait("again", first=True))]
    await asyncio.sleep(0)
    assert turns.call()
    assert turns.call()
    assert not turns.call()
    await asyncio.gather(*tasks)
    assert order == ["again", "later"]
    assert not turns.waiting
