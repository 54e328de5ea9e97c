"""`/api/v1/events`: what changes, as server-sent events."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, override

from fastapi import APIRouter, HTTPException
from fastapi.responses import StreamingResponse
from starlette.types import Send

from outreach_stream.gateway.runs.events import TooManyListenersError
from outreach_stream.gateway.runs.listing import Choice
from outreach_stream.gateway.runs.statuses import Word
from outreach_stream.gateway.served import Served

FIRST = 50
"""Runs that a stream of all runs begins with."""

router = APIRouter(prefix="/api/v1/events")

_STREAM: dict[str, Any] = {
    "description": "`event: run.status`, with the run's status as JSON in `data`; comments as heartbeats",
    "content": {"text/event-stream": {"schema": {"type": "string"}}}}


class EventStream(StreamingResponse):
    """Server-sent events; the stream gives its place back as soon as nobody listens."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        # Proxies must neither keep nor collect what is to be seen at once.
        super().__init__(events, media_type="text/event-stream",
                         headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._events = events

    @override
    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


@router.get("", response_class=StreamingResponse, responses={200: _STREAM, 404: {}, 503: {}})
async def events(gateway: Served, run: str | None = None) -> EventStream:
    """The statuses of the newest 50 runs, then of every run that changes; with `run`, of that one only.

    A run that changes faster is told four times a second, as it stands then. After 15 seconds of silence comes a
    comment. The stream ends when the gateway stops: ask again.
    """
    statuses = gateway.statuses
    if run is not None:
        gateway.status(run)     # raises what there is to say of a run that is not known
    elif not statuses.complete:
        raise HTTPException(503, "The states of the runs are being read; ask again in a moment.",
                            headers={"Retry-After": "1"})

    def first() -> Iterable[Word]:
        if run is None:
            return statuses.page(Choice(), FIRST)[0]
        return [word for word in [statuses.word(run)] if word]

    try:
        return EventStream(gateway.reads.news.listen(first, run))
    except TooManyListenersError:
        raise HTTPException(503, "As many streams as this gateway serves are open. Close some, or ask another one.",
                            headers={"Retry-After": "10"}) from None
