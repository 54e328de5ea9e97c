"""When the processes of this machine last read a remote catalog: for a command that finds it away."""

import time
from contextlib import suppress
from pathlib import Path

_FILE = "catalog.seen"


class Sighting:
    """A file in the state folder; its time is that of the last good reading. Blocks on the disk, raises nothing."""

    def __init__(self, folder: Path, url: str) -> None:
        self._file, self._url = folder / _FILE, url

    def note(self) -> None:
        """The catalog was read just now. What cannot be written is not missed."""
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(self._url, encoding="utf-8")

    def age(self) -> float | None:
        """Seconds since somebody here read it; None: nobody did, or of another address."""
        try:
            known = self._file.read_text(encoding="utf-8") == self._url
            return max(0.0, time.time() - self._file.stat().st_mtime) if known else None
        except (OSError, UnicodeDecodeError):
            return None
