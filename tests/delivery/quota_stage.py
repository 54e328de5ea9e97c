"""A lane's table that outlives its processes, for the tests of the quota."""

import asyncio


class Table:
    """`Copies` of one process: readable at once, durable a little later; what was not durable is gone after a crash."""

    def __init__(self, durable: dict[bytes, bytes], writer: bytes) -> None:
        self.durable, self.writer, self.store = durable, writer, dict(durable)
        self.failing, self.writes, self.stalled = 0, 0, False

    def copies(self, partition: int, key: bytes) -> list[tuple[bytes, bytes]]:
        assert (partition, key) == (3, b"q:e")
        return list(self.store.items())

    async def write(self, partition: int, key: bytes, value: bytes) -> None:
        self.store[self.writer] = value
        await self._acknowledged()
        self.durable[self.writer] = value
        await asyncio.sleep(0)

    async def delete(self, partition: int, key: bytes, writer: bytes) -> None:
        self.store.pop(writer, None)
        await self._acknowledged()
        self.durable.pop(writer, None)

    async def _acknowledged(self) -> None:
        self.writes += 1
        await asyncio.sleep(0)
        while self.stalled:
            await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise OSError("not written")
