"""Faust's recovery of tables after an assignment, made to start at once and not to give up."""

from typing import Any, override

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery


class PatientRecovery(Recovery):
    """Waits out a broker's absence, for as long as no rebalance and no stop comes."""

    @override
    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        # stock: after the request timeout it takes itself for stopped, and this worker never recovers or fetches again
        await super()._wait(coro)


class FastTableManager(TableManager):
    """Starts the recovery at once."""

    @property
    @override
    def recovery(self) -> Recovery:             # stock: its own class, by name
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    @override
    async def on_start(self) -> None:           # stock: sleeps 1.0 s first
        await self.sleep(0.05)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
