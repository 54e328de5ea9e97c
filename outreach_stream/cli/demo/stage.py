"""What the demo plays on: a folder with catalog and database, and a process for each part."""

import shutil
import socket
import sys
from collections import Counter
from pathlib import Path

import outreach_stream
from outreach_stream.cli.demo import encore
from outreach_stream.cli.demo.engines import FILE, DemoEngine, through
from outreach_stream.cli.demo.people import fill
from outreach_stream.cli.exits import CommandError
from outreach_stream.cli.supervisor import Program, outreach
from outreach_stream.cli.worker import ROLES, role_programs
from outreach_stream.settings import Settings

HOPELESS = 3
"""Deaths of one program after which the demo is given up."""

TAIL = 15
"""Lines of a program's log that are shown when it dies."""


def example_catalog() -> Path:
    """The example's folder: in a checkout beside the package, in an installed package inside it."""
    package = Path(outreach_stream.__file__).parent
    for folder in (package.parent / "examples" / "catalog", package / "examples" / "catalog"):
        if folder.is_dir():
            return folder
    raise CommandError(f"The example catalog is missing: it should be in {package.parent / 'examples' / 'catalog'}.")


class Stage:
    """The parts of a demo in `folder`; ports are held until `close`, nothing is started here.

    `stays`: it will keep running, and has more to show than its run.
    """

    def __init__(self, folder: Path, settings: Settings, people: int, engine: DemoEngine, *, stays: bool) -> None:
        self.catalog, self.logs = folder / "catalog", folder / "logs"
        self.inbox_record = folder / "inbox.jsonl"
        self._holds = held_port(0), held_port(settings.gateway_port), held_port(0)
        self.inbox_port, self.gateway_port, self._old_port = (int(hold.getsockname()[1]) for hold in self._holds)
        self._settings, self._folder, self._stays = settings, folder, stays
        self._deaths: Counter[str] = Counter()
        self.logs.mkdir()
        self.inbox_record.touch()
        shutil.copytree(example_catalog(), self.catalog)
        self._through = through(engine, self.inbox_port)
        if self._through.engine_file:
            self.catalog.joinpath(FILE).write_text(self._through.engine_file, encoding="utf-8")
        if stays:
            encore.prepare(self.catalog)
        fill(self.catalog / "people.db", (self.catalog / "people.sql").read_text(encoding="utf-8"), people)

    def close(self) -> None:
        """Give the ports back."""
        for hold in self._holds:
            hold.close()

    def programs(self, bootstrap: str) -> list[Program]:
        """Inbox, roles and gateway, each with a log of its own."""
        env = {
            "OUTREACH_KAFKA_BOOTSTRAP": bootstrap, "OUTREACH_CATALOG": str(self.catalog),
            "OUTREACH_OUTPUT": absolute_output(self._settings), "OUTREACH_LOG_FORMAT": "json",
            "OUTREACH_GATEWAY_TOKENS": "",     # the demo's own listens on loopback only, and knows nobody's tokens
            **self._through.env,
            **(encore.surroundings(self._old_port) if self._stays else {}),
        }
        inbox = Program("inbox", (sys.executable, "-m", "outreach_stream.inbox", "--port", str(self.inbox_port),
                                  "--record", str(self.inbox_record), *self._through.inbox),
                        output=self.logs / "inbox.log")
        roles = role_programs(ROLES, env, self._folder, self.logs)
        gateway = outreach("gateway", "gateway", "--host", "127.0.0.1", "--port", str(self.gateway_port), env=env,
                           output=self.logs / "gateway.log")
        more = encore.programs(self._old_port, env, self.logs) if self._stays else []
        return [inbox, *roles, gateway, *more]

    def died(self, program: Program) -> str:
        """Count a death; returns the end of the program's log."""
        self._deaths[program.name] += 1
        return self.tail(program.name)

    @property
    def hopeless(self) -> str | None:
        """A program that keeps dying."""
        return next((name for name, deaths in self._deaths.items() if deaths >= HOPELESS), None)

    def tail(self, name: str) -> str:
        """The end of a program's log."""
        log = self.logs / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"The end of the log of {name}:", *(f"  {line[:500]}" for line in lines[-TAIL:])])


def absolute_output(settings: Settings) -> str:
    """Where logs are written, the same for processes in other folders."""
    return str(settings.output.absolute()) if isinstance(settings.output, Path) else settings.output


def held_port(wanted: int) -> socket.socket:
    """A socket that keeps `wanted` on loopback, or any port if somebody has that, until its server binds it.

    It doesn't listen. A server says SO_REUSEADDR and gets the port beside it; another demo asks without, and does not.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    hold = socket.socket()
    hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    hold.bind(("127.0.0.1", port))
    return hold
