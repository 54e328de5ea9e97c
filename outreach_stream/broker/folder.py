"""The embedded broker's folder: its records, its configuration, its log, and the lock that keeps it to one broker."""

import asyncio
import base64
import fcntl
import os
import uuid
from collections import deque
from pathlib import Path

from outreach_stream.broker.errors import BrokerStartError
from outreach_stream.broker.jvm import java_command

LOCK_PATIENCE = 5.0
"""Seconds to wait for a folder whose broker is just dying."""

LOG_TURNS_AT = 10 * 1024 * 1024
"""Bytes of log after which the next start begins a new one; one old log is kept."""


class DataFolder:
    """Where one embedded broker lives. Made when it is locked for the first time."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.properties = self.path / "server.properties"
        self.log = self.path / "kafka.log"
        self.cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        self._lock: int | None = None

    @property
    def formatted(self) -> bool:
        """Whether Kafka has given it a cluster id; formatting is done once in its life."""
        return (self.path / "records" / "meta.properties").is_file()

    def format_command(self, class_path: list[Path]) -> list[str]:
        """The command that formats it. A cluster id may begin with a dash, hence the equals sign."""
        return java_command(class_path, "kafka.tools.StorageTool", "format", f"--cluster-id={self.cluster_id}",
                            f"--config={self.properties}")

    async def lock(self) -> None:
        """Take the folder. The JVM inherits the lock, so it is free when both are gone, and never stale.

        Raises `BrokerStartError` if another broker has it, after giving that one a moment to die.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if self._lock is not None:
            return
        lock = os.open(self.path / "broker.lock", os.O_RDWR | os.O_CREAT)
        try:
            async with asyncio.timeout(LOCK_PATIENCE):
                while not _locked(lock):  # noqa: ASYNC110 - the kernel tells nobody when a lock is free
                    await asyncio.sleep(0.05)
        except BaseException as error:
            os.close(lock)
            if isinstance(error, TimeoutError):
                raise BrokerStartError(f"Another broker is running on {self.path}.") from None
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def lock_fds(self) -> tuple[int, ...]:
        """File descriptors that a child inherits to hold the lock with us."""
        return () if self._lock is None else (self._lock,)

    def turn_log(self) -> None:
        """Begin a new log if the old one has grown large."""
        if self.log.is_file() and self.log.stat().st_size > LOG_TURNS_AT:
            self.log.replace(self.log.with_suffix(".log.1"))

    def log_tail(self, lines: int = 15) -> str:
        """The end of Kafka's log, with the name of its file."""
        with self.log.open(errors="replace") as file:
            tail = deque(file, lines)
        return f"The end of {self.log}:\n{''.join(tail)}"


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
