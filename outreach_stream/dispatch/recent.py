"""What was done lately."""

from collections import OrderedDict


class Recent:
    """Remembers the last so many ids: a shortcut past work that was done, for work that may be done twice."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit, self._ids = limit, OrderedDict[str, None]()

    def add(self, run_id: str) -> None:
        """Remember it."""
        self._ids[run_id] = None
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._ids
