"""The embedded broker's folder: its records, configuration, port and log, and the lock that keeps it to one broker."""

import asyncio
import base64
import fcntl
import os
import re
import uuid
from collections import deque
from pathlib import Path

from outreach_stream.broker.errors import FolderInUseError
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

    @property
    def address(self) -> str | None:
        """`host:port` that clients were told at the last start; None before the first."""
        try:
            properties = self.properties.read_text()
        except FileNotFoundError:
            return None
        found = re.search(r"^advertised\.listeners=PLAINTEXT://(\S+)$", properties, re.MULTILINE)
        return found[1] if found else None

    @property
    def port(self) -> int:
        """The port of the last start, where clients look for the next one; 0 before the first."""
        return int(self.address.rpartition(":")[2]) if self.address else 0

    def configure(self, properties: str) -> None:
        """Replace the configuration as a whole: others read the address in it, and a torn one would lose the port."""
        new = self.properties.with_suffix(".new")
        new.write_text(properties)
        new.replace(self.properties)

    def format_command(self, class_path: list[Path]) -> list[str]:
        """The command that formats it. A cluster id may begin with a dash, hence the equals sign."""
        return java_command(class_path, "kafka.tools.StorageTool", "format", f"--cluster-id={self.cluster_id}",
                            f"--config={self.properties}")

    async def lock(self) -> None:
        """Take the folder. The JVM inherits the lock, so it is free when both are gone, and never stale.

        Raises `FolderInUseError` if another broker has it, after giving that one a moment to die.
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
                raise FolderInUseError(f"Another broker is running on {self.path}.") from None
            raise
        self._lock = lock

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def in_use(self) -> bool:
        """Whether a broker has the folder; if none has, whoever answers at its address is another's."""
        try:
            lock = os.open(self.path / "broker.lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _locked(lock, fcntl.LOCK_SH)  # shared: two who look do not see each other
        finally:
            os.close(lock)

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


def _locked(file: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
