"""What the inbox received: one JSON line a mail, written before the sender is answered."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail for one recipient."""

    began: float
    """When its MAIL command arrived: seconds since the epoch. Nearest to the moment it was handed over."""
    at: float
    """When its final dot arrived."""
    message_id: str
    """Empty: it had none."""
    sender: str
    recipient: str
    size: int
    """Bytes of the message, dots unstuffed."""
    answered: bool
    """Whether the sender was told; False for those left in doubt."""


class RecordWriter:
    """Appends to `path`; each line is with the operating system before `write` returns, so a kill loses none."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, mail: ReceivedMail) -> None:
        """Blocks for the few microseconds of an append."""
        os.write(self._file, orjson.dumps(mail, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class InboxRecord:
    """Reads what an inbox wrote to `path`, anew at each call: it may be written still. Blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mails(self) -> Iterator[ReceivedMail]:
        """All mails, in the order in which they were received; none when there is no file yet."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # else it is just being written
                    yield ReceivedMail(**json.loads(line))

    def by_message_id(self) -> Counter[str]:
        """How often each Message-ID was received: more than once is a duplicate."""
        return Counter(mail.message_id for mail in self.mails())

    def recipients(self) -> Counter[str]:
        """How many mails each recipient received."""
        return Counter(mail.recipient for mail in self.mails())

    def max_in_window(self, seconds: float = 1.0) -> int:
        """The most mails whose handing over began within any window of `seconds`."""
        return most_in_window(sorted(mail.began for mail in self.mails()), seconds)


def most_in_window(moments: Sequence[float], seconds: float) -> int:
    """The most of these moments, which are in order, within any window of `seconds`; its end is no part of it."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
