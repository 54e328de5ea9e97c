"""Ids that can be completed: by files in a folder, so that nothing is connected to or waited for."""

import os
import re
from collections.abc import Callable
from pathlib import Path

NEWEST = 50
"""Runs that are offered."""

_HEAD = 4_096
"""Bytes of a file in which its id is looked for."""
_ID = re.compile(rb"""^id:[ \t]*["']?([\w.-]+)""", re.MULTILINE)


def _place(variable: str, default: str) -> Path | None:
    """The folder that a setting names; None: it is somewhere else. The settings themselves take too long to load."""
    named = os.environ.get(variable) or default
    return None if "://" in named else Path(named)


def _named(kind: str) -> list[str]:
    """Ids of the objects in a catalog's folder."""
    catalog = _place("OUTREACH_CATALOG", "examples/catalog")
    files = (catalog / kind).iterdir() if catalog and (catalog / kind).is_dir() else ()
    return sorted(_id(file) for file in files if file.suffix in {".yaml", ".yml"})


def _id(file: Path) -> str:
    """What the object is called: as a line near the file's beginning says, else like the file."""
    try:
        with file.open("rb") as opened:
            found = _ID.search(opened.read(_HEAD))
    except OSError:
        found = None
    return found[1].decode(errors="replace") if found else file.stem


def workflows() -> list[str]:
    """Ids of workflows."""
    return _named("workflows")


def engines() -> list[str]:
    """Ids of engines."""
    return _named("engines")


def schedules() -> list[str]:
    """Ids of schedules."""
    return _named("schedules")


def runs() -> list[str]:
    """Ids of the runs whose logs are here, the newest days first."""
    output, found = _place("OUTREACH_OUTPUT", "output"), list[str]()
    if output is None or not output.is_dir():
        return found
    for day in sorted((each for each in output.iterdir() if each.is_dir()), reverse=True):
        found += sorted(log.name.partition(".")[0] for log in day.iterdir() if ".json" in log.suffixes)
        if len(found) >= NEWEST:
            break
    return found[:NEWEST]


VALUES: dict[tuple[str, str], Callable[[], list[str]]] = {
    ("trigger", "workflow"): workflows, ("recipients", "workflow"): workflows,
    **{(f"engine {command}", "name"): engines for command in ("check", "stop", "resume")},
    ("schedule next", "name"): schedules,
    **{(command, "run"): runs for command in ("watch", "cancel", "pause", "resume", "replay")},
    ("events tail", "run"): runs,
}
"""What completes an argument or an option, by the command and the parameter's name."""
