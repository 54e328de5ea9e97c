"""Bodies of requests: bounded in size and time, and JSON that can be passed on, before a route sees any of it."""

import asyncio

import orjson
from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 1024 * 1024
"""Bytes of a body at most: what one record of `workflow.triggered` takes."""
TIME = 10.0
"""Seconds in which a whole body must have come."""


class _Refused(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class _LeftError(Exception):
    """The client is gone: there is nobody to answer."""


class WholeBodies:
    """ASGI middleware: routes get bodies that are whole, or none.

    One that is too large is refused by its `Content-Length` before any of it is read, or by what comes where nothing
    was announced; one that comes too slowly when its time is over.
    """

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST, time: float = TIME) -> None:
        self._app, self._largest, self._time = app, largest, time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request with its body."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(int(headers.get("content-length", "0")), receive)
            _check(headers.get("content-type", ""), body)
        except _Refused as refused:
            # What is left of the body is not read, so that this connection is good for nothing more.
            await JSONResponse({"detail": refused.detail}, refused.status, {"Connection": "close"})(
                scope, receive, send)
        except _LeftError:
            return
        else:
            await self._app(scope, _Replayed(body, receive), send)

    async def _read(self, announced: int, receive: Receive) -> bytes:
        body = bytearray()
        self._check_size(announced)
        try:
            async with asyncio.timeout(self._time):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _LeftError
                    body += message.get("body", b"")
                    self._check_size(len(body))
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError as error:
            raise _Refused(408, f"The body did not come within {self._time:g} s.") from error

    def _check_size(self, size: int) -> None:
        if size > self._largest:
            raise _Refused(413, f"A request's body has {self._largest:,} bytes at most.")


def _check(content_type: str, body: bytes) -> None:
    """Python reads JSON that nobody else does, and that could not be written to Kafka or a database.

    Half a surrogate pair, NaN, a thousand brackets in one another: each would be an error of ours later. So would be a
    number that is too large: 1e999 is read as infinity, and a whole one of more than 64 bits is admitted by no worker.
    The words are of the parser, which repeats nothing of the text.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if body and (kind == "application/json" or kind.endswith("+json")):
        try:
            value = from_json(body, allow_inf_nan=False, cache_strings="none")
        except ValueError as error:
            raise _Refused(422, f"The body is not JSON: {error}.") from error
        try:
            orjson.loads(body)      # takes no infinity
            orjson.dumps(value)     # writes no whole number beyond 64 bits
        except (ValueError, TypeError) as error:
            raise _Refused(422, "A number in the body is too large: a whole one has 64 bits, any other is below "
                                "1.8e308.") from error


class _Replayed:
    """Gives the body once, and then what the connection says: that the client has left."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The next message."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
