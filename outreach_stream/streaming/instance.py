"""Who this process is in its consumer group: an id that can only be had with the lock on its state folder."""

import fcntl
import os
import uuid
from pathlib import Path


class FolderInUse(Exception):  # noqa: N818
    """Another process works in this state folder: two owners of the same tables, and of one membership."""


class InstanceId(str):
    """A group instance id, and the lock that makes it ours: kept for as long as the process lives."""

    __slots__ = ("_lock",)
    _lock: int


def hold(folder: Path, app_id: str) -> InstanceId:
    """Locks the state folder for this process and returns the id derived from it, the same at every start.

    Two processes with one id are two owners of the same partitions for up to a heartbeat; the lock rules that out.
    The kernel frees it when the process ends, however it ends. Raises FolderInUse.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "instance", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(lock)
        raise FolderInUse(f"another process works in {folder}: give each worker a state folder of its own") from exc
    name = os.read(lock, 64).decode() or _name(lock)
    instance = InstanceId(f"{app_id}-{name}")
    instance._lock = lock
    return instance


def release(instance: InstanceId) -> None:
    """Gives the lock back, for a process that goes on without its worker."""
    os.close(instance._lock)


def _name(lock: int) -> str:
    """A new random name, written down: hosts get renamed and folders moved, neither may change the id."""
    name = uuid.uuid4().hex[:12]
    os.write(lock, name.encode())
    os.fsync(lock)
    return name
