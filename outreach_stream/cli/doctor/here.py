"""What can be seen on this machine: settings, packages, folders."""

import asyncio
import difflib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from outreach_stream.cli.doctor.finding import Found, Scene, ok, problem, warning
from outreach_stream.gateway.door.access import tokens_of
from outreach_stream.gateway.door.tokens import TokenErrors
from outreach_stream.recipients.unsubscribing import links_of
from outreach_stream.settings import Settings
from outreach_stream.values import UnresolvedReference

PACKAGE = "outreach-stream"

LITTLE, TOO_LITTLE = 2 * 1024**3, 200 * 1024**2
"""Bytes below which a disk is called nearly full, and full: a million recipients take about one GiB of topics."""

_PREFIX = "OUTREACH_"
_ALIKE = 0.85
"""From this likeness on an unknown variable is taken for a misspelt setting; catalogs have variables of their own."""


async def settings(scene: Scene) -> list[Found]:
    """Which places the settings name, and variables that look like misspelt ones."""
    it = scene.settings
    kafka = it.kafka_bootstrap or f"the embedded one on {it.state_dir}"
    return [ok(f"Kafka: {kafka}; catalog: {it.catalog}"), *misspelt(os.environ),
            *await asyncio.to_thread(unresolved, it)]


def unresolved(it: Settings) -> list[Found]:
    """A problem for each secret or file that a setting names and that cannot be read. Blocks."""
    tries = (("OUTREACH_GATEWAY_TOKENS", lambda: tokens_of(it)), ("OUTREACH_UNSUBSCRIBE_KEY", lambda: links_of(it)),
             ("OUTREACH_CATALOG_TOKEN", lambda: it.catalog_token and it.catalog_token.resolve()))
    found = []
    for name, read in tries:
        try:
            read()
        except (TokenErrors, UnresolvedReference) as error:
            found.append(problem(f"{name}: {error}", "Set what it names, or correct it"))
    return found


def misspelt(environment: Mapping[str, str]) -> list[Found]:
    """A warning for each variable whose name is nearly that of a setting. Its value is not told."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    unknown = [name for name in sorted(environment) if name.startswith(_PREFIX) and name not in known]
    return [warning(f"{name} is no setting, and is not read", f"Is {meant[0]} meant?") for name in unknown
            if (meant := difflib.get_close_matches(name, known, 1, _ALIKE))]


async def packages(_: Scene) -> list[Found]:
    """Versions, and packages that are missing."""
    try:
        own, needed = version(PACKAGE), requires(PACKAGE) or []
    except PackageNotFoundError:
        return [warning("the program is not installed as a package", "uv sync, or pip install")]
    missing = [name for name in required(needed) if not _installed(name)]
    if missing:
        return [problem(f"packages are missing: {', '.join(missing)}", "uv sync, or install the package anew")]
    streams = ", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "aiokafka"))
    return [ok(f"{PACKAGE} {own}, Python {platform.python_version()}, {streams}")]


def required(requirements: Iterable[str]) -> list[str]:
    """Names of the packages that are always needed, of requirements as metadata writes them (PEP 508)."""
    return [found[0] for line in requirements if ";" not in line and (found := re.match(r"[A-Za-z0-9._-]+", line))]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


async def folders(scene: Scene) -> list[Found]:
    """Whether what must be written can be, and whether there is room for it."""
    it = scene.settings
    places: list[tuple[str, Path | str]] = [("OUTREACH_STATE_DIR", it.state_dir), ("OUTREACH_OUTPUT", it.output)]
    return await asyncio.to_thread(lambda: [folder(name, place) for name, place in places if isinstance(place, Path)])


def folder(name: str, path: Path) -> Found:
    """Whether a folder that is there, or the one it will be made in, can be written, and has room. Blocks."""
    place = path.absolute()
    there = next(each for each in (place, *place.parents) if each.exists())
    then = f"Let the user that works here write it, or name another with {name}"
    if not there.is_dir():
        return problem(f"{there} is no folder", then)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return problem(f"{there} cannot be written: {error.strerror}", then)
    free = shutil.disk_usage(there).free
    said = f"{place}{'' if there == place else ' will be made'}: {free / 1024**3:,.1f} GiB free"
    if free >= LITTLE:
        return ok(said)
    return (problem if free < TOO_LITTLE else warning)(said, f"Make room, or name another with {name}")
