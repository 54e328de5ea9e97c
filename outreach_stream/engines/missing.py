"""What stands in for an engine that the catalog does not have: every attempt says so, until it has."""

from collections.abc import Callable

from outreach_stream.domain.outcomes import EngineStopped, Refusal
from outreach_stream.domain.ports import Connection, Engine


class MissingEngine:
    """Refuses to connect for as long as `find` finds no engine, and is that engine from then on."""

    def __init__(self, engine_id: str, find: Callable[[], Engine | None]) -> None:
        self._refusal = EngineStopped("engine_unknown", f"the catalog has no engine {engine_id}")
        self._find = find
        self._engine: Engine | None = None

    @property
    def rate(self) -> float | None:
        """The engine's, once it has come."""
        return self._engine.rate if self._engine else None

    async def acquire(self) -> Connection | Refusal:
        """The engine's connection, or why there is none."""
        if self._engine is None:
            self._engine = self._find()
        return self._refusal if self._engine is None else await self._engine.acquire()

    def release(self, connection: Connection) -> None:
        """Give it back to the engine it came from."""
        if self._engine is not None:
            self._engine.release(connection)

    async def close(self) -> None:
        """Close the engine, if it has come."""
        if self._engine is not None:
            await self._engine.close()
