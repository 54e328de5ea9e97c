"""One HTTP/1.1 connection as the serving side of a provider's API; what is read, by h11, and what is not, by us."""

import asyncio
import re
from http import HTTPStatus
from typing import cast

import h11

from outreach_stream.inbox.mailroom import Mailroom
from outreach_stream.inbox.modes import Mode
from outreach_stream.inbox.outlet import Outlet
from outreach_stream.inbox.providers.provider import ALIKE, REFUSALS, Asked, Letter, Provider, Reply
from outreach_stream.inbox.rules import Behaviour, Fate

_HASTY = re.compile(rb"[\"\s<:](drop|reset|early|sip)(?:-[\w.-]*)?@", re.IGNORECASE)
"""Recipients for whom something happens before the request is read to its end. In HTTP they stand somewhere in it."""
_HASTE = 8_192
"""Bytes of a request in which such a recipient is looked for."""
_SLOW = 0.5
"""Seconds that `slow` recipients let the sender wait."""
_CUT_OFF = frozenset({Behaviour.DOUBT, Behaviour.DOUBT_ONCE})
_UNANSWERED = _CUT_OFF | {Behaviour.SILENCE}


class HttpSession(asyncio.Protocol):
    """Reads request after request, and treats the mail in it as its recipient asks for."""

    def __init__(self, room: Mailroom, provider: Provider) -> None:
        self._room, self._provider = room, provider
        self._http = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._began = 0.0
        self._held = False  # nothing is read while an answer is late, or after the last one
        self._deaf = False  # what still comes is thrown away
        self._drip = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say nothing: in HTTP the client begins."""
        self.transport = cast("asyncio.Transport", transport)
        self._out = Outlet(self.transport, self._room.latency)
        self._room.opened(self)
        match self._room.current_mode():
            case Mode.REFUSE_CONNECTIONS:
                self._out.reset()
            case Mode.HANG_UP:
                self.transport.close()
            case _:
                pass

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the reason
        """Forget what was not finished: a request that did not come whole was not received."""
        self._room.closed(self)

    def data_received(self, data: bytes) -> None:
        """Work through what is complete."""
        if self._deaf:
            return
        try:
            self._http.receive_data(data)
            self._work()
        except h11.RemoteProtocolError as error:
            self._answer(Reply(error.error_status_hint, {}, str(error).encode()), close=True)

    def _work(self) -> None:
        while not self._held and not self.transport.is_closing():
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._head, self._began = event, self._room.now()
                self._body.clear()
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])
                    self._out.write(self._http.send(go_on) or b"")
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._whole()
            else:
                break
        if self._http.their_state is h11.SEND_BODY and (hasty := _HASTY.search(self._body, 0, _HASTE)):
            self._interrupt(Behaviour(hasty[1].decode().lower()))

    def _interrupt(self, behaviour: Behaviour) -> None:
        """Do what is to be done while the request still comes."""
        match behaviour:
            case Behaviour.DROP:
                self.transport.abort()
            case Behaviour.RESET:
                self._out.reset()
            case Behaviour.EARLY:
                self._room.attempts += 1
                self._linger()
                self._refuse(Fate(Behaviour.EARLY))
            case _:
                self.transport.pause_reading()
                asyncio.get_running_loop().call_later(self._room.pace, self.transport.resume_reading)

    def _linger(self) -> None:
        """Close, but not at once: what is unread would turn the close into a reset, which may overtake the answer."""
        self._deaf = True
        asyncio.get_running_loop().call_later(1.0, self.transport.close)

    def _whole(self) -> None:
        assert self._head is not None
        headers: dict[str, str] = {}
        for name, value in self._head.headers:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            headers[key] = f"{headers[key]},{text}" if key in headers else text
        asked = Asked(self._head.method.decode(), self._head.target.decode("latin-1"), headers, bytes(self._body),
                      self._began)
        mode = self._room.current_mode()
        found: Letter | Reply
        if mode is Mode.LOGIN_REFUSED:
            found = self._provider.unauthorized()
        elif len(asked.body) > self._room.max_size:
            found = self._provider.refused(Behaviour.HUGE, None, self._began)
        else:
            found = self._provider.read(asked)
        if asked.method == "POST":
            self._room.attempts += 1
        if isinstance(found, Letter):
            self._treat(found)
        elif mode is Mode.SHUTDOWN:
            self._refuse(Fate(Behaviour.SHUTDOWN))
        else:
            self._answer(found)

    def _treat(self, letter: Letter) -> None:
        fates = [self._room.judge(recipient) for recipient in letter.recipients]
        fate = next((fate for fate in fates if fate.behaviour is not Behaviour.ACCEPT), fates[0])
        behaviour = ALIKE.get(fate.behaviour, fate.behaviour)
        if behaviour is Behaviour.DROP:
            self.transport.abort()
        elif behaviour is Behaviour.RESET:
            self._out.reset()
        elif behaviour in REFUSALS:
            self._refuse(fate)
        else:
            self._accept(letter, behaviour)

    def _refuse(self, fate: Fate) -> None:
        behaviour = ALIKE.get(fate.behaviour, fate.behaviour)
        answer = self._provider.refused(behaviour, fate.wait, self._room.now())
        self._answer(answer, close=behaviour is Behaviour.SHUTDOWN or self._deaf)

    def _accept(self, letter: Letter, behaviour: Behaviour) -> None:
        number = 0
        if not letter.rehearsal:
            for recipient in letter.recipients:
                number = self._room.receive(self._began, letter.sender, recipient, letter.content,
                                            answered=behaviour not in _UNANSWERED)
        self._drip = self._room.pace if behaviour is Behaviour.TRICKLE else 0.0
        if behaviour in _CUT_OFF:
            self.transport.abort()
        elif behaviour is Behaviour.SILENCE:
            self._held = True
        elif behaviour is Behaviour.SLOW:
            self._held = True
            asyncio.get_running_loop().call_later(_SLOW, self._go_on, self._provider.accepted(letter, number))
        else:
            self._answer(self._provider.accepted(letter, number))

    def _go_on(self, reply: Reply) -> None:
        self._held = False
        self._answer(reply)
        self._work()

    def _answer(self, reply: Reply, *, close: bool = False) -> None:
        if self.transport.is_closing() or self._http.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            return
        headers = [*reply.headers.items(), ("Content-Length", str(len(reply.body)))]
        if close:
            headers.append(("Connection", "close"))
        data = self._http.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        data += self._http.send(h11.Data(data=reply.body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self._held = self._was_last
        self._out.write(data, close=self._held and not self._deaf, drip=self._drip)
        self._drip = 0.0
        if not self._held:
            self._http.start_next_cycle()

    @property
    def _was_last(self) -> bool:
        """Whether no request may follow: one of the two sides has said so, or the request was not read to its end."""
        return self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE
