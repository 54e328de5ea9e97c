"""What stands in for an engine that the catalog does not have (any more): every attempt says so."""

from outreach_stream.domain.outcomes import EngineStopped
from outreach_stream.domain.ports import Connection


class MissingEngine:
    """An engine that never connects."""

    def __init__(self, engine_id: str) -> None:
        self._refusal = EngineStopped("engine_unknown", f"the catalog has no engine {engine_id}")

    async def acquire(self) -> EngineStopped:
        """Why there is no connection."""
        return self._refusal

    def release(self, connection: Connection) -> None:
        """Nothing was given."""

    async def close(self) -> None:
        """Nothing is open."""
