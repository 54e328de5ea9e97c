"""The lanes of `send.requested` and `send.requested.express`, as they are written."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outreach_stream.dispatch.ports import Span
from outreach_stream.domain.events import LaneProgress
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.produce import Record, produce
from outreach_stream.streaming.views import View
from outreach_stream.topics import SEND_REQUESTED


@dataclass(frozen=True, slots=True)
class LaneTopic:
    """One of the two topics; `progress` is the view of `lane.progress`."""

    app: StreamApp
    progress: View[LaneProgress]
    topic: str = SEND_REQUESTED.name

    async def append(self, requests: Mapping[int, Sequence[bytes]]) -> Mapping[int, Span]:
        """All lanes at once; returns when everything is durable."""
        spans = await asyncio.gather(*(self._append(lane, values) for lane, values in requests.items()))
        return dict(zip(requests, spans, strict=True))

    async def _append(self, lane: int, values: Sequence[bytes]) -> Span:
        records = (Record(None, value) for value in values)
        offsets = await produce(self.app.aiokafka_producer, self.topic, lane, records)
        return Span(offsets[0], offsets[-1] + 1)

    def finished(self, engine: str, lane: int) -> int | None:
        """What the lane's owner reported last."""
        progress = self.progress.get(f"{self.topic}:{lane}:{engine}".encode())
        return None if progress is None else progress.finished
