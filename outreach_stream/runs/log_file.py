"""A file that is there whole or not at all."""

import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self


class WholeFile:
    """Writes beside `path` and puts the file in its place when the `with` block ends well. Blocks; raises OSError.

    Afterwards it survives a power cut: file and folder are synced. What earlier attempts left behind when their
    process was killed is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")

    def __enter__(self) -> Self:
        new_folder = not self._path.parent.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if new_folder:
            _sync_folder(self._path.parent.parent)
        self._file = self._draft.open("xb")
        return self

    def write(self, data: bytes) -> None:
        """Append to the draft."""
        self._file.write(data)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            # Unlinked first: on a full disk closing fails too, and a draft left by each try would keep it full.
            self._draft.unlink(missing_ok=True)
            self._file.close()

    def _publish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.replace(self._path)
        _sync_folder(self._path.parent)
        for left in self._path.parent.glob(f".{self._path.name}.*"):
            left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
