"""Packages that bring kinds of engine, as an installer leaves them: a module, and a folder that describes it."""

from importlib import invalidate_caches
from pathlib import Path

from outreach_stream.engines import registry

PLUGIN = Path(__file__).parents[1] / "examples" / "engine-plugin"
"""The example of one."""


def install(site: Path, name: str, source: str, kinds: dict[str, str]) -> None:
    """Package `name` of one module in the folder `site`; `kinds` are its entry points."""
    about = site / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = "".join(f"{kind} = {target}\n" for kind, target in kinds.items())
    (about / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{points}")
    (site / f"{name}.py").write_text(source)


def forget() -> None:
    """The registry looks again at what is installed."""
    invalidate_caches()
    registry._entry_points.cache_clear()
    registry._kind.cache_clear()
