"""Kafka's own jars: named with their SHA-256 in `jars.lock`, downloaded once by `jgo`, verified at every start.

A second start touches no network: jars whose sums match are used as they lie.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from outreach_stream.broker.errors import NoBrokerError
from outreach_stream.broker.trust import machine_trust

DOWNLOAD_TIMEOUT = 60
"""Seconds a connection to the jars' repository may stay silent."""

Report = Callable[[int, int], None]
"""Told the bytes that are here and the bytes there will be, at the start of a download and after every jar.

It runs in the downloading thread; what it raises ends the download.
"""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: Maven coordinate (`group:artifact:version`), SHA-256 in hex, size in bytes."""

    coordinate: str
    sha256: str
    size: int

    def path(self, cache_dir: Path) -> Path:
        """Where the jar lies under `cache_dir`: Maven's own layout, which is also jgo's."""
        group, artifact, version = self.coordinate.split(":")
        return maven_folder(cache_dir).joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")

    def present(self, cache_dir: Path) -> bool:
        """Whether the jar is in the cache with the right size: a quick look."""
        path = self.path(cache_dir)
        return path.is_file() and path.stat().st_size == self.size

    def intact(self, cache_dir: Path) -> bool:
        """Whether the jar is in the cache with the right sum. Reads all of it."""
        if not self.present(cache_dir):
            return False
        with self.path(cache_dir).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def maven_folder(cache_dir: Path) -> Path:
    """The folder of `cache_dir` that holds the jars."""
    return cache_dir / "maven"


def locked_jars() -> list[Jar]:
    """Every jar Kafka needs, as locked in this package: Kafka 4.3.1, what it depends on, and a simple log writer."""
    lines = files("outreach_stream.broker").joinpath("jars.lock").read_text("ascii").splitlines()
    rows = (line.split() for line in lines)
    return [Jar(coordinate, sha256, int(size)) for coordinate, sha256, size in rows]


def jars_cached(cache_dir: Path) -> bool:
    """Whether all locked jars are present. A quick look: only `ensure_jars` verifies them."""
    return all(jar.present(cache_dir) for jar in locked_jars())


def ensure_jars(cache_dir: Path, report: Report) -> list[Path]:
    """The class path: every locked jar, verified, and downloaded if need be. Blocks.

    Several processes may call it at once on an empty cache: one downloads, the others wait and find it done.
    Raises `NoBrokerError` when a jar is neither here nor to be had, or is not the one that was locked.
    """
    jars = locked_jars()
    if not all(jar.intact(cache_dir) for jar in jars):
        with _download_lock(cache_dir):
            _download(cache_dir, jars, report)
    return [jar.path(cache_dir) for jar in jars]


def _download(cache_dir: Path, jars: list[Jar], report: Report) -> None:
    # Looked at again under the lock: another process may have brought them while we waited.
    missing = [jar for jar in jars if not jar.intact(cache_dir)]
    total = sum(jar.size for jar in jars)
    here = total - sum(jar.size for jar in missing)
    for jar in missing:
        report(here, total)
        _fetch(cache_dir, jar)
        here += jar.size
    report(here, total)


def _fetch(cache_dir: Path, jar: Jar) -> None:
    """Bring one jar. A half-written one of a process that was killed is removed first: jgo would take it as done."""
    path = jar.path(cache_dir)
    try:
        # Imported here because it takes a third of a second, and nobody needs it once the jars are cached.
        from jgo.maven import MavenContext  # noqa: PLC0415

        path.unlink(missing_ok=True)
        maven = MavenContext(repo_cache=maven_folder(cache_dir), timeout=DOWNLOAD_TIMEOUT)
        with machine_trust():
            maven.create_dependency(jar.coordinate).artifact.resolve()
    except Exception as error:  # jgo lets through what requests, the file system and its own asserts raise
        raise NoBrokerError(f"{jar.coordinate} of the embedded one could not be downloaded ({error}).") from error
    if not jar.intact(cache_dir):
        path.unlink(missing_ok=True)
        raise NoBrokerError(f"{jar.coordinate} as downloaded has not the locked SHA-256 and was removed.")


@contextmanager
def _download_lock(cache_dir: Path) -> Iterator[None]:
    """Held by the one process that downloads; the kernel frees it when that process dies, however it dies."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        lock = (cache_dir / "download.lock").open("w")
    except OSError as error:
        raise NoBrokerError(f"the jars of the embedded one cannot be kept in {cache_dir} ({error.strerror}). "
                            "OUTREACH_CACHE_DIR names another folder.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
