"""One HTTP/1.1 connection, its protocol by h11, its bytes by us.

No client library tells whether a request had left this process when its connection failed, and none connects ahead of
a request: but exactly these decide whether a mail is in doubt, and that no time passes between the last check and the
hand-over. So the socket is ours; what goes over it is h11's business (RFC 9112).
"""

import asyncio
import select
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import h11

from outreach_stream.engines.failures import MalformedReply, MisconfiguredEngine

_CHUNK = 65_536
"""Bytes that are given to the transport at once. The next follow when these have left: asyncio's TLS says nothing of
what it holds back of a single large write."""

_LARGEST_ANSWER = 1_048_576
"""Bytes of an answer's body that are read: no provider's is larger, and none shall fill our memory."""

_HEARD = select.POLLIN | getattr(select, "POLLRDHUP", 0)
"""Linux tells that the other side has hung up (POLLRDHUP) from that it has said something."""

_ALWAYS = {"Accept-Encoding": "identity", "User-Agent": "outreach-stream"}


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
        self._readable = select.poll()
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._asked = self._answered = False
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._answer: Answer | None = None
        self._rest = memoryview(b"")
        self._paused = False

    @property
    def usable(self) -> bool:
        """Whether it stands and may take the next request, so far as this machine knows."""
        return (self._error is None and self._transport is not None and not self._transport.is_closing()
                and not self._asked and self._http.our_state is h11.IDLE and not self._heard())

    @property
    def unsent(self) -> bool:
        """Whether a part of the last request has not left this process; nor will it ever, once the wire has failed."""
        return self._paused or len(self._rest) > 0

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What protects the connection; None: nothing."""
        assert self._transport
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    def write(self, request: Request) -> None:
        """Send the whole request. Does not wait. On a wire that is not usable nothing leaves, and `answer` raises.

        Raises `MisconfiguredEngine`, before anything is written, for a header that cannot be one.
        """
        event = self._event(request)
        self._answer, self._head = None, None
        self._body.clear()
        if not self.usable:
            self._rest = memoryview(request.body or b"all of it")
            self._fail(ConnectionError("closed by the server"))
            return
        self._asked = True
        head = self._http.send(event) or b""
        self._http.send_with_data_passthrough(h11.Data(data=request.body))
        self._http.send(h11.EndOfMessage())
        self._rest = memoryview(head + request.body)
        self._pump()

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
        """Close at once; what has not left never will."""
        self._fail(ConnectionError("closed by us"))

    # --- asyncio.Protocol ---
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._readable.register(transport.get_extra_info("socket").fileno(), _HEARD)
        # So that `_paused` says whether a chunk has left; with 0, asyncio's TLS would pause for ever.
        transport.set_write_buffer_limits(high=1)

    def data_received(self, data: bytes) -> None:
        """Read what has come of the answer."""
        if self._error is not None:
            return
        if not self._asked:
            self._fail(MalformedReply("spoke unasked"))
            return
        self._receive(data)

    def eof_received(self) -> None:
        """The other side has said all it will say: the end of an answer that names no length, or of the connection."""
        if self._asked and self._error is None:
            self._receive(b"")
        self._fail(ConnectionError("closed by the server"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits; an answer that came before the end is still handed out."""
        self._fail(ConnectionError(f"connection lost: {exc}" if exc else "closed by the server"))

    def pause_writing(self) -> None:
        """The other side reads slower than we write."""
        self._paused = self._paused or self._error is None

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._error is None:
            self._paused = False
            self._pump()

    # --- what they share ---
    def _heard(self) -> bool:
        """Whether the other side hung up, or spoke unasked, even if the event loop has not come to reading it.

        Before its first answer TLS may have its own to say.
        """
        events = self._readable.poll(0)
        return bool(events) and (self._answered or events[0][1] != select.POLLIN)

    def _event(self, request: Request) -> h11.Request:
        headers = {"Host": self._host, **_ALWAYS, **request.headers}
        if request.body or request.method == "POST":
            headers["Content-Length"] = str(len(request.body))
        try:
            return h11.Request(method=request.method, target=request.path, headers=list(headers.items()))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            # h11's own words quote the value, which may be the credentials.
            raise MisconfiguredEngine("a header or the path cannot be sent: look for line breaks, blanks around it "
                                      "and letters that are not ASCII in the credentials") from None

    def _pump(self) -> None:
        assert self._transport
        while self._rest and not self._paused:
            self._transport.write(self._rest[:_CHUNK])
            if self._transport.is_closing():
                return  # it failed at once, so this chunk stayed here
            self._rest = self._rest[_CHUNK:]

    def _receive(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            while not isinstance(event := self._http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                if isinstance(event, h11.Response):
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > _LARGEST_ANSWER:
                        self._fail(MalformedReply("the answer does not end"))
                        return
            self._complete()
        except h11.RemoteProtocolError as error:
            if data:  # otherwise it closed in the middle of an answer, or before: what `eof_received` tells
                self._fail(MalformedReply(str(error)))

    def _complete(self) -> None:
        assert self._head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
        self._answer = Answer(self._head.status_code, headers, bytes(self._body))
        self._asked, self._answered = False, True
        if self.unsent:  # answered before it was all read (a 413): nothing more of it must follow
            self._fail(ConnectionError("answered before the request was read"))
        elif self._http.trailing_data[0]:
            self._fail(MalformedReply("spoke unasked"))
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        self._wake()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
