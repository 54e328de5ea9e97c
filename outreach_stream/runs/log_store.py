"""Where the logs of finished runs lie: a folder, or a bucket of an object store; the same names in both.

    store = log_store(settings.output)
    async with store.draft("2026-11-24/RUN.json") as draft:     # whole or not at all
        draft.write(b"…")
    place = store.place("2026-11-24/RUN.json")                  # what run.status says: a path, or s3://…

    with open_log(place) as log:                                # anybody who has the place
        head = log.read(0, 64 * 1024)

A log is written by one aggregator and read by anybody, so nothing here needs Kafka.
"""

import os
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from outreach_stream.runs.log_file import WholeFile

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class LogStoreError(OSError):
    """The object store did not do it: away, refused, no such bucket. The message says why, in one line."""


class Draft(Protocol):
    """A log that is being written."""

    def write(self, data: bytes) -> object:
        """Append. Blocks on the disk; raises OSError."""


class LogReader(Protocol):
    """A written log, read by ranges of bytes, by several at a time too. A context manager.

    Blocks on disk or network: call it in a thread.
    """

    size: int
    """Bytes of the whole log."""

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from offset `start`; fewer at the log's end, none beyond it.

        All reads are of the log as it was when it was opened. Raises OSError; of an object that was written anew
        meanwhile, too: open it again.
        """

    def close(self) -> None:
        """Give it back."""

    def __enter__(self) -> Self:
        """The reader itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


class LogStore(Protocol):
    """Files by name (`<date>/<run id>.json`), each there whole or not at all, and overwritten by the next of its name.

    Everything but `draft` blocks on disk or network; all of it raises OSError.
    """

    def place(self, name: str) -> str:
        """Where the file lies, for everybody: a path, as the folder was named, or a URL."""

    def draft(self, name: str) -> AbstractAsyncContextManager[Draft]:
        """Write a file of any size in constant memory. It is in its place when the block has ended well."""

    def put(self, name: str, data: bytes) -> None:
        """Write a small file."""

    def names(self, under: str) -> list[str]:
        """Names of all files in the folder `under`, sorted; none if there is no such folder."""

    def open(self, name: str) -> LogReader:
        """Read a file. FileNotFoundError if there is none."""

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is no error."""


def log_store(output: Path | str) -> LogStore:
    """The store that `OUTREACH_OUTPUT` names: a folder, or an object store's URL. Reaches for nothing yet.

    Raises OSError for a URL that the provider's environment lacks something for.
    """
    if isinstance(output, Path):
        return FolderStore(output)
    return _bucket(output)


@lru_cache(maxsize=32)  # one client for all logs of a day: its connections stay
def _bucket(url: str) -> LogStore:
    from outreach_stream.runs.log_bucket import BucketStore  # noqa: PLC0415 - the client, where it is used

    return BucketStore(url)


def open_log(place: str) -> LogReader:
    """Read a log where `run.status` says that it lies: a path on this machine, or an object store's URL.

    Blocks. Raises FileNotFoundError if it is not there (a path: on another machine, perhaps), or OSError.
    """
    folder, _, name = place.rpartition("/")
    return log_store(folder if "://" in place else Path(folder)).open(name)


class FolderStore:
    """Files below a folder of this machine, or of one that several share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, name: str) -> str:
        """The file's path."""
        return str(self._folder / name)

    @asynccontextmanager
    async def draft(self, name: str) -> "AsyncGenerator[Draft]":
        """Written beside its place, synced, and renamed. Blocks the loop for as long as the disk does."""
        with WholeFile(self._folder / name) as file:
            yield file

    def put(self, name: str, data: bytes) -> None:
        """The same, at once."""
        with WholeFile(self._folder / name) as file:
            file.write(data)

    def names(self, under: str) -> list[str]:
        """Those in the folder itself; drafts are none."""
        return sorted(f"{under}/{path.name}" for path in (self._folder / under).glob("[!.]*"))

    def open(self, name: str) -> LogReader:
        """The file as it is now: one that takes its place later is another."""
        return FileReader(self._folder / name)

    def delete(self, name: str) -> None:
        """Unlink it."""
        (self._folder / name).unlink(missing_ok=True)


class FileReader:
    """A file of this machine."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, length: int) -> bytes:
        """Bytes from `start`."""
        return os.pread(self._file.fileno(), length, start)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
