"""A real Apache Kafka of one node, started by us: one JVM on loopback, gone when we are gone, its records kept.

    async with EmbeddedBroker(data_dir, cache_dir) as broker:
        ... broker.bootstrap ...

Killed or stopped, it starts again on the same records and port, also from another process: clients wait for it there.
"""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from outreach_stream.broker import leash
from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.broker.folder import DataFolder
from outreach_stream.broker.jars import Report, ensure_jars
from outreach_stream.broker.jvm import java_command
from outreach_stream.broker.ports import choose_ports
from outreach_stream.broker.properties import LOOPBACK, server_properties
from outreach_stream.broker.ready import answers

START_TIMEOUT = 60.0
"""Seconds until the broker must answer. It takes two on an idle laptop; after a kill it reads its records first."""

STOP_TIMEOUT = 10.0
"""Seconds until a broker that was asked to stop is killed. It loses nothing by that: it reads its records anew."""

POLL = 0.05
"""Seconds between two looks at a starting or running JVM."""

_log = structlog.get_logger()


class EmbeddedBroker:
    """One Kafka node with its records in `data_dir`; start, kill and stop it as often as needed.

    `port=0` takes the port that the folder's last broker had, or a free one, and keeps it. Start it from a thread that
    lives as long as the broker shall: the kernel ties the JVM's life to that thread.
    """

    def __init__(self, data_dir: Path, cache_dir: Path, *, port: int = 0) -> None:
        self.folder = DataFolder(data_dir)
        self.port = port
        self.progress: Report = lambda _here, _total: None
        self._cache_dir = cache_dir
        self._jvm: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients, known once started."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the JVM that was started last."""
        assert self._jvm is not None, "never started"
        return self._jvm.pid

    @property
    def running(self) -> bool:
        """Whether the JVM lives."""
        return self._jvm is not None and self._jvm.poll() is None

    async def start(self) -> None:
        """Returns when the broker serves clients. Raises `BrokerError`; then nothing of it is left running."""
        assert not self.running, "already started"
        class_path = await self._class_path()
        await self.folder.lock()
        try:
            await self._start(class_path)
        except BaseException:
            await self.stop()
            raise
        _log.info("broker_started", bootstrap=self.bootstrap, pid=self.pid)

    async def _class_path(self) -> list[Path]:
        """The jars, downloaded in a thread that ends with the jar in hand when we are cancelled."""
        cancelled = threading.Event()

        def report(here: int, total: int) -> None:
            if cancelled.is_set():
                raise InterruptedError
            self.progress(here, total)

        try:
            return await asyncio.to_thread(ensure_jars, self._cache_dir, report)
        finally:
            cancelled.set()

    def configuration(self) -> str:
        """Kafka's `server.properties` for the start that comes; takes its ports. Called with the folder's lock."""
        earlier = self.folder.port
        ports = choose_ports(self.port, earlier)
        if earlier and not self.port and ports.broker != earlier:
            _log.warning("broker_moved", earlier=earlier, port=ports.broker)
        self.port = ports.broker
        return server_properties(self.folder.path, ports)

    async def _start(self, class_path: list[Path]) -> None:
        self.folder.configure(self.configuration())
        self.folder.turn_log()
        if not self.folder.formatted:
            self._run(self.folder.format_command(class_path))
            if await self.ended():
                raise BrokerStartError(f"Kafka could not format {self.folder.path}. {self.folder.log_tail()}")
        self._run(java_command(class_path, "kafka.Kafka", str(self.folder.properties)))
        await self._answering()

    def _run(self, command: list[str]) -> None:
        """Start a JVM on a leash. In a session of its own: a terminal's Ctrl-C is for us, and the broker stops last."""
        leashed = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *command]
        with self.folder.log.open("ab") as log:
            self._jvm = subprocess.Popen(  # noqa: S603 - our own command
                leashed, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=self.folder.lock_fds,
            )

    async def _answering(self) -> None:
        """Wait until the node serves clients."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not await answers(self.bootstrap):
                    if not self.running:
                        raise BrokerStartError(f"Kafka died while it started. {self.folder.log_tail()}")
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise BrokerStartError(
                f"Kafka does not answer after {START_TIMEOUT:.0f} s. {self.folder.log_tail()}") from None

    async def ended(self) -> int:
        """Wait until the JVM has ended by itself; returns its exit code, negative for a signal."""
        assert self._jvm is not None, "never started"
        while (code := self._jvm.poll()) is None:  # noqa: ASYNC110 - a Popen wakes no loop
            await asyncio.sleep(POLL)
        return code

    async def stop(self) -> None:
        """Stop the JVM and wait for its end; killed if that takes too long. Nothing happens if it isn't running."""
        if self._jvm is not None and self.running:
            self._jvm.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self.ended()
            except TimeoutError:
                _log.warning("broker_killed", pid=self.pid, waited=STOP_TIMEOUT)
            finally:
                self.kill()
        self.folder.unlock()

    def kill(self) -> None:
        """Kill the JVM as `kill -9` does, and wait for its end. Its records and its port stay for `start`."""
        if self._jvm is not None:
            self._jvm.kill()
            self._jvm.wait()
        self.folder.unlock()

    async def restart(self) -> None:
        """Stop if running, and start on the same records and port."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.stop()
