"""How often, how much and how slowly one caller may ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.gateway.door.bodies import WholeBodies
from outreach_stream.gateway.door.limits import KNOWN_CALLERS, Rate, address_group, admitted
from tests.gateway.test_tokens import Time

type Ask = Callable[..., Awaitable[httpx.Response]]


@given(st.floats(0.1, 100), st.integers(1, 50), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_no_window_has_more_than_rate_and_burst(rate: float, burst: int, pauses: list[float]) -> None:
    """Whenever one asks: in any time, no more get in than the burst and what the rate brings in it."""
    now, due, times = 0.0, 0.0, []
    for pause in pauses:
        now += pause
        due, wait = admitted(due, now, rate, burst)
        if not wait:
            times.append(now)

    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - times[first]) * rate + 1e-6
    assert all(one <= other for one, other in pairwise(times))


def test_who_waits_as_told_gets_in() -> None:
    """The time that is said is enough, and nothing less is; a refused request costs nothing."""
    time = Time()
    rate = Rate(2.0, 3.0, clock=time)

    assert [rate.wait("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    wait = rate.wait("a")
    assert [rate.wait("a") for _ in range(5)] == [wait] * 5
    time.now += wait - 0.001
    assert rate.wait("a") > 0
    time.now += 0.001
    assert rate.wait("a") == 0.0
    assert rate.wait("b") == 0.0, "another caller"


def test_the_memory_of_a_limit_is_bounded() -> None:
    """Whoever comes from ever new addresses makes us forget others, not grow; who asks now is remembered."""
    rate = Rate(0.001, 1.0, clock=Time())
    for number in range(KNOWN_CALLERS + 500):
        rate.wait(str(number))

    assert len(rate._due) == KNOWN_CALLERS
    assert rate.wait(str(KNOWN_CALLERS + 499)) > 0


def test_addresses_of_one_caller_are_one() -> None:
    """Of IPv6 whoever has one address has 2**64 of them; an IPv4 address is itself, also when written as IPv6."""
    assert address_group("2001:db8::1") == address_group("2001:db8::ffff:1") != address_group("2001:db8:0:1::1")
    assert address_group("192.0.2.1") == "192.0.2.1" != address_group("192.0.2.2")
    assert address_group("::ffff:192.0.2.1") != address_group("::ffff:192.0.2.2")
    assert address_group("::ffff:192.0.2.1%junk") == address_group("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_group("unknown") == "unknown"
    assert len(address_group("x" * 60_000)) == len(address_group("::ffff:192.0.2.1%" + "x" * 60_000)) + 36 == 45


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Posts to an API that takes bodies of ten bytes, in a fifth of a second."""
    api = FastAPI()
    api.add_middleware(WholeBodies, largest=10, time=0.2)

    @api.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client:
        yield lambda content: client.post("/size", content=content)


async def parts(*sizes: int, pause: float = 0.0) -> AsyncIterator[bytes]:
    for size in sizes:
        await asyncio.sleep(pause)
        yield b"x" * size


async def test_a_body_of_the_limit_is_taken(ask: Ask) -> None:
    """Whole, in parts, or empty."""
    answers = [await ask(content) for content in (b"", b"x" * 10, parts(4, 6), parts(4, 0, 6))]

    assert [answer.json() for answer in answers] == [0, 10, 10, 10]


async def test_a_body_above_the_limit_is_413(ask: Ask) -> None:
    """Announced, or found to be so while it comes: the rest of it is not read."""
    read = []

    async def endless() -> AsyncIterator[bytes]:
        while len(read) < 1_000:
            read.append(1)
            yield b"x"

    announced, chunked = await ask(b"x" * 11), await ask(endless())

    assert announced.status_code == chunked.status_code == 413
    assert announced.json() == chunked.json() == {"detail": "A request's body has 10 bytes at most."}
    assert len(read) < 20


async def test_a_body_that_comes_too_slowly_is_408(ask: Ask) -> None:
    """However regularly its parts come: the whole of it has one time."""
    answer = await ask(parts(*[1] * 10, pause=0.05))

    assert answer.status_code == 408
    assert "0.2 s" in answer.json()["detail"]
