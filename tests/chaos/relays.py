"""Further relays of a system under test: mail servers that refuse, throttle and fail when they are told to."""

import asyncio
import json
import sys

from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.record import InboxRecord

from .system import System
from .workers import leashed

ENGINE = """\
kind: smtp
host: 127.0.0.1
port: env:CHAOS_{name}_PORT
security: none
"""


class Relay:
    """An engine of the catalog with an inbox of its own. It ends with the test's process, or by `close`."""

    def __init__(self, system: System, name: str) -> None:
        self.name, self._system = name, system
        self.record, self._mode = system.folder / f"{name}.jsonl", system.folder / f"{name}.mode"

    async def begin(self, *options: str, engine: str = "") -> "Relay":
        """Start the inbox with these options, and add the engine with these lines. Before the workers start."""
        self._inbox = leashed(sys.executable, "-m", "outreach_stream.inbox", "--record", str(self.record),
                              "--mode-file", str(self._mode), *options, stdout=-1, text=True)
        port = json.loads(await asyncio.to_thread(self._inbox.stdout.readline))["port"]
        self._system.workers.environment[f"CHAOS_{self.name.upper()}_PORT"] = str(port)
        file = self._system.catalog / f"engines/{self.name}.yaml"
        file.write_text(ENGINE.format(name=self.name.upper()) + engine)
        return self

    def mode(self, mode: Mode) -> None:
        """How it behaves from the next connection or mail on."""
        self._mode.write_text(mode)

    def mails(self) -> dict[str, int]:
        """How many mails each address got here."""
        return dict(InboxRecord(self.record).recipients()) if self.record.exists() else {}

    def moments(self) -> list[float]:
        """When mails were received, in order."""
        return sorted(mail.at for mail in InboxRecord(self.record).mails())

    def close(self) -> None:
        """End the inbox."""
        self._inbox.kill()
        self._inbox.wait()
