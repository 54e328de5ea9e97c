"""`/live`, `/ready` and `/metrics` of a process, as whatever watches it sees them."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.listening import metrics_place, waiting
from outreach_stream.domain.spread import Spread
from outreach_stream.settings import Settings
from outreach_stream.telemetry import endpoint, metrics
from outreach_stream.telemetry.endpoint import Listening, told
from outreach_stream.telemetry.readings import Reading
from tests.scraped import values


def ask(url: str, method: str = "GET") -> tuple[int, str]:
    try:
        with urlopen(Request(url, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


async def asked(url: str) -> tuple[int, str]:
    return await asyncio.to_thread(ask, url)


def said() -> Iterator[Reading]:
    spread = Spread((0.1, 1.0))
    for seconds in (0.05, 0.5, 7.0, -1.0):
        spread.note(seconds)
    yield Reading(metrics.ENDED, 3, ("relay", "sent"))
    yield Reading(metrics.STOPPED, True, ("relay",))
    yield Reading(metrics.ENDED, 1, ("relay", "failed"))
    yield Reading(metrics.HAND_OVER, spread, ("relay",))


async def test_it_tells_health_and_what_the_parts_say() -> None:
    """Ready as soon as the parts are, and with the reason while they are not; the rest is 404."""
    reasons = ["no partitions"]
    listening = Listening("127.0.0.1", 0)
    async with told("sender", listening, said, lambda: reasons[0] if reasons else None):
        await asyncio.sleep(0)
        live, unready = await asked(f"{listening.url}/live"), await asked(f"{listening.url}/ready")
        reasons.clear()
        async with asyncio.timeout(5):
            while (ready := await asked(f"{listening.url}/ready"))[0] != 200:
                await asyncio.sleep(0.05)
        nothing, (_, text) = await asked(f"{listening.url}/"), await asked(f"{listening.url}/metrics?name=x")

    assert (live, unready, ready) == ((200, "ok\n"), (503, "no partitions\n"), (200, "ok\n"))
    assert nothing[0] == 404
    assert values(text, "outreach_recipients_ended_total") == {("relay", "sent"): 3, ("relay", "failed"): 1}
    assert values(text, "outreach_engine_stopped") == {("relay",): 1}
    assert 'outreach_hand_over_seconds_bucket{engine="relay",le="0.1"} 2.0' in text
    assert 'outreach_hand_over_seconds_bucket{engine="relay",le="+Inf"} 4.0' in text
    assert values(text, "outreach_hand_over_seconds_sum") == {("relay",): pytest.approx(7.55)}
    assert values(text, "process_resident_memory_bytes")[()] > 0
    assert next(iter(values(text, "outreach_build_info")))[0] == "sender"
    with pytest.raises(OSError, match="refused"):
        ask(f"{listening.url}/live")


async def test_a_loop_that_hangs_is_seen_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks meanwhile is answered: dead, not ready, and how long it hangs; then it lives again."""
    monkeypatch.setattr(endpoint, "HUNG", 0.3)
    monkeypatch.setattr(endpoint, "PATIENCE", 0.1)
    monkeypatch.setattr(endpoint, "BEAT", 0.05)
    listening = Listening("127.0.0.1", 0)
    async with told("sender", listening, said, lambda: None):
        await asyncio.sleep(0)
        with ThreadPoolExecutor() as watcher:
            asking = watcher.submit(lambda: [time.sleep(0.5), *(ask(listening.url + path)
                                                                for path in ("/live", "/ready", "/metrics"))])
            _, live, ready, (code, text) = asking.result()  # waits, and the loop does not turn
        async with asyncio.timeout(5):
            while (await asked(f"{listening.url}/live"))[0] != 200:
                await asyncio.sleep(0.05)

    assert (live[0], ready[0], code) == (503, 503, 200)
    assert "hangs" in live[1]
    assert values(text, "outreach_loop_age_seconds")[()] > 0.3
    assert values(text, "outreach_ready") == {(): 0}
    assert values(text, "outreach_recipients_ended_total") == {}
    assert values(text, "process_cpu_seconds_total")[()] > 0


async def test_parts_that_cannot_say_how_they_are_do_not_count_as_a_dead_loop() -> None:
    """It lives, and is not ready, whatever went wrong in asking; a bug in what is said ends the scrape alone."""
    def broken() -> str | None:
        raise LookupError("no consumer")

    def nonsense() -> Iterator[Reading]:
        raise LookupError("no floor")
        yield

    listening = Listening("127.0.0.1", 0)
    async with told("sender", listening, nonsense, broken):
        await asyncio.sleep(0)
        live, ready = await asked(f"{listening.url}/live"), await asked(f"{listening.url}/ready")
        with pytest.raises(OSError, match=r"closed|reset"):
            await asked(f"{listening.url}/metrics")
        again = await asked(f"{listening.url}/live")

    assert live == again == (200, "ok\n")
    assert ready == (503, "not known: LookupError('no consumer')\n")


def test_nothing_listens_unless_it_is_asked_for() -> None:
    """The default is no port; one that is taken is said before anything is begun, with what to do."""
    assert metrics_place(Settings()) is None
    with Listening("127.0.0.1", 0) as taken:
        port = taken.server_address[1]
        with pytest.raises(CommandError, match=rf"(?s)127\.0\.0\.1:{port}.*OUTREACH_METRICS_PORT") as refused:
            metrics_place(Settings(metrics_port=port))
    assert refused.value.code == 2


def test_it_listens_on_ipv6_too() -> None:
    """An address is an address."""
    with Listening("::1", 0) as listening:
        assert listening.url.startswith("http://[::1]:")


async def test_it_is_told_before_there_is_work_too() -> None:
    """While Kafka is waited for a process lives and is not ready; it tells the rest later at the same place."""
    listening = Listening("127.0.0.1", 0)
    async with waiting("sender", listening, "Kafka is waited for"):
        await asyncio.sleep(0)
        before = await asked(f"{listening.url}/live"), await asked(f"{listening.url}/ready")
    async with told("sender", listening, said, lambda: None):
        await asyncio.sleep(0)
        after = await asked(f"{listening.url}/live"), await asked(f"{listening.url}/ready")

    assert before == ((200, "ok\n"), (503, "Kafka is waited for\n"))
    assert after == ((200, "ok\n"), (200, "ok\n"))
