"""What processes use, as Linux tells it in /proc; elsewhere nothing is known. And what folders hold."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PPID, _USER, _SYSTEM = 1, 11, 12
"""Places in proc(5)'s `stat`, counted behind the name of the program, which may hold blanks."""


def _stat(pid: int) -> list[str]:
    """What stands behind the program's name; empty: there is no such process, or no /proc."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    return []


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time that each process has used so far, in user and in system mode, to a hundredth of a second."""
    stats = {name: _stat(pid) for name, pid in pids.items()}
    return {name: (int(stat[_USER]) + int(stat[_SYSTEM])) / _TICKS for name, stat in stats.items() if stat}


def peak_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """The most memory that each process had resident in its life (VmHWM), in MiB."""
    peaks = {name: _peak_kib(pid) for name, pid in pids.items()}
    return {name: round(peak / 1024, 1) for name, peak in peaks.items() if peak}


def _peak_kib(pid: int) -> int:
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def children(pid: int) -> list[int]:
    """Processes that this one has started."""
    with suppress(OSError):
        pids = [int(each.name) for each in _PROC.iterdir() if each.name.isdecimal()]
        return [each for each in pids if (stat := _stat(each)) and int(stat[_PPID]) == pid]
    return []


def size(folders: Iterable[Path], suffix: str = "") -> int:
    """Bytes of all files in the folders whose names end so. Files may come and go meanwhile. Blocks."""
    return sum(_sizes(folders, suffix))


def _sizes(folders: Iterable[Path], suffix: str) -> Iterator[int]:
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in names:
                if name.endswith(suffix):
                    with suppress(FileNotFoundError):
                        yield Path(path, name).stat().st_size
