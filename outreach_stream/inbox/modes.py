"""How the inbox behaves towards everybody, and a file by which that is switched while it runs."""

import sys
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """What happens to every connection and mail; what the file says is read anew for each of them."""

    NORMAL = "normal"
    """Recipients choose their fate."""
    REFUSE_CONNECTIONS = "refuse-connections"
    """Connections are reset before the greeting; on those that stand, at RCPT."""
    HANG_UP = "hang-up"
    """Connections are closed right after the greeting; those that stand go on."""
    SHUTDOWN = "shutdown"
    """421 4.3.2 instead of the greeting, and at RCPT."""
    HALF = "half"
    """Every second mail gets 550 5.6.0 after its final dot."""
    BLOCK = "block"
    """554 5.7.1 after the final dot."""
    LOGIN_REFUSED = "login-refused"
    """535 5.7.8 to every login, and 530 5.7.0 at RCPT to those who are logged in."""


class ModeFile:
    """The mode that a file names; none there yet, and it is `normal`. Reading it anew costs one `stat`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._mode = Mode.NORMAL

    def read(self) -> Mode:
        """The mode now. A word that is none (a file half written, too) leaves the mode as it was."""
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                word = self._path.read_text(encoding="utf-8").strip()
                self._stamp = stamp
                self._mode = Mode(word) if word else self._mode
        except FileNotFoundError:
            self._stamp, self._mode = None, Mode.NORMAL
        except ValueError as error:
            sys.stderr.write(f"{self._path.name}: {error}; it stays {self._mode}\n")
        return self._mode
