"""One HTTP/1.1 connection, its protocol by h11, its bytes by us.

No client library tells whether a request had left this process when its connection failed, and none connects ahead of
a request: but exactly these decide whether a mail is in doubt, and that no time passes between the last check and the
hand-over. So the socket is ours; what goes over it is h11's business (RFC 9112).
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import h11

from outreach_stream.engines.failures import MalformedReply

_LARGEST_ANSWER = 1_048_576
"""Bytes of an answer's body that are read: no provider's is larger, and none shall fill our memory."""


class Request(NamedTuple):
    """What is asked; the connection adds Host, Content-Length and what it needs itself."""

    method: str
    path: str
    """With its query, percent-encoded."""
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a name that came twice the last."""
    body: bytes


class HttpWire(asyncio.Protocol):
    """A connection that stands. One that failed once fails for good: `usable` is False, `answer` raises."""

    def __init__(self, host: str) -> None:
        """`host`: what the Host header says, `name` or `name:port`."""
        self._host = host
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._status: h11.Response | None = None
        self._body = bytearray()
        self._answer: Answer | None = None
        self._sending = False
        self.unsent = False
        """A part of the last request has not left this process, nor ever will, since the wire has failed."""

    @property
    def usable(self) -> bool:
        """Whether it stands and may take the next request."""
        return (self._error is None and self._transport is not None and not self._transport.is_closing()
                and self._http.our_state is h11.IDLE)

    def write(self, request: Request) -> None:
        """Send the whole request. Does not wait. On a wire that is lost nothing happens: `answer` tells."""
        self.unsent, self._answer, self._status = False, None, None
        self._body.clear()
        if self._error is not None or self._transport is None:
            return
        headers = {"Host": self._host, "Accept-Encoding": "identity", **request.headers}
        if request.body or request.method == "POST":
            headers["Content-Length"] = str(len(request.body))
        head = self._http.send(h11.Request(method=request.method, target=request.path, headers=list(headers.items())))
        body = self._http.send(h11.Data(data=request.body)) if request.body else b""
        self._http.send(h11.EndOfMessage())
        self._transport.write((head or b"") + (body or b""))

    async def answer(self, seconds: float) -> Answer:
        """The answer to the request written last. Raises `ConnectionError`, `TimeoutError`."""
        if self._answer is None and self._error is None:
            self._waiter = asyncio.get_running_loop().create_future()
            timer = asyncio.get_running_loop().call_later(
                seconds, self._fail, TimeoutError(f"no answer within {seconds:g} s"))
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self._answer is None:
            assert self._error is not None
            raise self._error
        return self._answer

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # So that `_sending` says whether everything has left; with 0, asyncio's TLS would pause for ever.
        transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        """Read what has come of the answer."""
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError as error:
            self._fail(MalformedReply(str(error)))

    def eof_received(self) -> None:
        """The other side has said all it will say."""
        try:
            self._http.receive_data(b"")
            self._read()
        except h11.RemoteProtocolError:
            pass  # it closed in the middle of an answer, or before: what `connection_lost` tells
        self._fail(ConnectionError("closed by the server"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits; an answer that came before the end is still handed out."""
        self._fail(ConnectionError(f"connection lost: {exc}" if exc else "closed by the server"))

    def pause_writing(self) -> None:
        """The other side reads slower than we write."""
        self._sending = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._sending = False

    def _read(self) -> None:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Response):
                self._status = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > _LARGEST_ANSWER:
                    self._fail(MalformedReply("the answer does not end"))
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._complete()
                return

    def _complete(self) -> None:
        assert self._status is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._status.headers}
        self._answer = Answer(self._status.status_code, headers, bytes(self._body))
        if self._sending:  # answered before it was all read (a 413): nothing more of it must follow
            self._fail(ConnectionError("answered before the request was read"))
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        self._wake()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error, self.unsent = error, self._sending
        self.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
