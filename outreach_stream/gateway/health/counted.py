"""What the API was asked, in numbers."""

from collections import Counter, defaultdict
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outreach_stream.domain.spread import Spread

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""A route or a method that there is none of: whoever asks must not be able to make up time series."""


class Counts:
    """Requests of one gateway. Routes are templates (`/api/v1/runs/{run_id}`): few, and no run's id."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By route, method and status."""
        self.seconds: defaultdict[tuple[str, str], Spread] = defaultdict(Spread)
        """Until an answer began, by route and method: a stream of events has no end."""


class Counted:
    """ASGI middleware that counts; the outermost, so that refusals count, too."""

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app, self._counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, answers = perf_counter(), _Answers(send)
        try:
            await self._app(scope, receive, answers.send)
        finally:
            self._note(scope, answers, began)

    def _note(self, scope: Scope, answers: "_Answers", began: float) -> None:
        route = getattr(scope.get("route"), "path", OTHER)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._counts.requests[route, method, str(answers.status)] += 1
        self._counts.seconds[route, method].note((answers.at or perf_counter()) - began)


class _Answers:
    """Notes how and when the answer began; one that never did counts as 500."""

    def __init__(self, send: Send) -> None:
        self._send, self.status, self.at = send, 500, 0.0

    async def send(self, message: Message) -> None:
        """Pass it on."""
        if message["type"] == "http.response.start":
            self.status, self.at = message["status"], perf_counter()
        await self._send(message)
