"""Workers as processes of a benchmark, which starts, stops and kills them one by one."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from outreach_stream.cli.worker import ALONE

CATALOG = {
    "workflows/hello.yaml": "name: Hello\ntemplate: hello\nengines: [memory]\nfrom: us@shop.example\n",
    "templates/hello.yaml": "subject: Hello {{ name }}\ntext: A good day to you, {{ name }}.\n",
    "engines/memory.yaml": "kind: memory\n",
}
PATIENCE = 90.0
"""Seconds within which what is waited for must come."""


class Workers:
    """Processes of `outreach worker`, each with a state folder of its own in `folder`."""

    def __init__(self, bootstrap: str, folder: Path, session_timeout: float) -> None:
        self.bootstrap, self.folder = bootstrap, folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._env = os.environ | {
            "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(folder / "catalog"),
            "OUTREACH_OUTPUT": str(folder / "output"), "OUTREACH_LOG_LEVEL": "warning", "OUTREACH_METRICS_PORT": "0",
            "OUTREACH_SESSION_TIMEOUT": str(session_timeout), "OUTREACH_DRAIN_TIMEOUT": "5", **ALONE,
            # As installed: compiled, which packages of the image are, and a checkout is after its first run.
            "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """With a catalog of one workflow; none runs on behind the block."""
        for name, text in CATALOG.items():
            self.folder.joinpath("catalog", name).parent.mkdir(parents=True, exist_ok=True)
            self.folder.joinpath("catalog", name).write_text(text)
        try:
            yield
        finally:
            for worker in self.running.values():
                worker.kill()
                worker.wait()

    def start(self, role: str, state: str) -> float:
        """Starts a worker on the state folder of that name; when that was."""
        began = time.monotonic()
        with self.folder.joinpath(f"{state}.log").open("ab") as log:
            self.running[state] = subprocess.Popen(
                [sys.executable, "-m", "outreach_stream.cli", "worker", role, "--data-dir", str(self.folder / state)],
                env=self._env, stdout=log, stderr=log)
        return began

    async def end(self, state: str, number: signal.Signals) -> None:
        """Sends the worker of that state folder a signal, and waits for its end."""
        worker = self.running.pop(state)
        worker.send_signal(number)
        await asyncio.to_thread(worker.wait)


async def until(condition: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Returns when it is true; TimeoutError after so many seconds."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110 - what is waited for is in other processes
            await asyncio.sleep(0.005)


async def settled(bootstrap: str, role: str, members: int) -> None:
    """Returns when so many workers of the role share its partitions. Those that died are gone when none is left."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(GroupCoordinatorNotAvailableError):   # a new broker's, for its first seconds
                    groups = (await admin.describe_consumer_groups([f"outreach-{role}"]))[0].groups
                    _, _, state, _, _, found, *_ = groups[0]
                    if len(found) == members and state == ("Stable" if members else "Empty"):
                        return
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
