"""Which scope a request needs: one function, total. What nobody thought of needs the highest."""

import re

from outreach_stream.gateway.door.tokens import Scope

PROBES = frozenset({"/health/live", "/health/ready"})
"""Asked by whatever runs the process, which holds no token; they tell nothing and are never limited."""

_OPEN = frozenset({"/", "/favicon.ico", *PROBES})
_OPEN_FOLDERS = ("/assets/", "/u/")
"""The page's own files (what it shows it asks for with a token), and the links that recipients follow."""

_TRIGGERING = re.compile(r"/api/v1/(trigger|workflows/[^/]+/(preview|test))")
"""POSTs that start a run or show one that is not started."""
_LOOKING = re.compile(r"/api/v1/suppression/[^/]+/check")
"""POSTs that only look, at what must not stand in a path. Every other one is an order."""


def needed_scope(method: str, path: str) -> Scope | None:
    """The scope that `method` on `path` needs; None: it is open to all. `path` is decoded, as routes see it."""
    if is_open(path):
        return None
    if method in {"GET", "HEAD"} or (method == "POST" and _LOOKING.fullmatch(path)):
        return "read"
    return "trigger" if method == "POST" and _TRIGGERING.fullmatch(path) else "admin"


def is_open(path: str) -> bool:
    """Whether no token is asked for."""
    return path in _OPEN or path.startswith(_OPEN_FOLDERS)
