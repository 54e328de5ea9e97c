"""What is ordered in mid-run: `control`, kept up to date in memory."""

from outreach_stream.domain.control import Control
from outreach_stream.gateway.following import Follower
from outreach_stream.streaming.orders import feeding
from outreach_stream.streaming.views import View
from outreach_stream.topics import CONTROL


class Controls:
    """Follows `control` from `start` to `stop`, through the broker's absences."""

    def __init__(self, bootstrap: str) -> None:
        self.orders = Control()
        self._follower = Follower(View(bootstrap, CONTROL.name, feeding(self.orders)), CONTROL.name)

    async def start(self) -> None:
        """Begins to follow; does not wait for the broker."""
        await self._follower.start()

    async def stop(self) -> None:
        """Ends the following."""
        await self._follower.stop()

    async def caught_up(self) -> Control:
        """All orders that were acknowledged before the call. Waits for a broker that is away."""
        await self._follower.caught_up()
        return self.orders
