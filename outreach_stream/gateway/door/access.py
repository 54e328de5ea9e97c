"""The door: whether a request is let in, decided before anything of its body is read."""

from collections.abc import Callable, Iterable
from math import ceil
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from outreach_stream.gateway.door.caller import ANYONE, NOBODY, Caller, caller
from outreach_stream.gateway.door.limits import Rate, address_group
from outreach_stream.gateway.door.same_site import is_foreign, is_ours
from outreach_stream.gateway.door.scopes import PROBES, needed_scope
from outreach_stream.gateway.door.tokens import Scope, TokenFile
from outreach_stream.settings import Settings

BURST = 2.0
"""Seconds of the rate that may be asked at once."""
MISTAKES = (0.5, 10.0)
"""Wrong tokens of one address: a second, and at once."""

_log = structlog.get_logger()


class Refused(Exception):  # noqa: N818 - it is an answer
    """Why a request is not let in."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Door:
    """Knows the tokens, the names this gateway goes by, and how much each has asked."""

    def __init__(self, tokens: TokenFile | None, names: Iterable[str], rate: float,
                 limit: Callable[[float, float], Rate] = Rate) -> None:
        """Without tokens (None) everybody may do everything, from pages of this site. `rate`: requests a second."""
        self._tokens, self._names = tokens, frozenset(names)
        self._asked, self._mistaken = limit(rate, max(1.0, rate * BURST)), limit(*MISTAKES)

    def open_for(self, method: str, path: str, headers: Headers, address: str) -> Caller:
        """Who is let in. Raises `Refused`."""
        _check_form(path, headers)
        if path in PROBES:
            return NOBODY
        scope = needed_scope(method, path)
        if scope is not None and self._tokens is not None:
            return self._holder(self._tokens, headers, address, scope)
        self._count(_of(address))
        if scope is None:
            return NOBODY
        self._same_site(method, headers)
        return ANYONE

    def still_in(self, method: str, path: str, headers: Headers) -> bool:
        """Whether who was let in would be let in now: a token may expire, be withdrawn, or lose a scope meanwhile."""
        if self._tokens is None:
            return True
        found = self._tokens.holder(_token(headers) or "")
        return found is not None and needed_scope(method, path) in found[1].scopes

    def _count(self, who: str) -> None:
        if wait := self._asked.wait(who):
            raise _too_often(wait)

    def _same_site(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if not is_ours(host, self._names):
            raise Refused(421, "This gateway asks for no token, so it answers only to names that it knows: localhost, "
                               "an address, OUTREACH_GATEWAY_HOST, the host of OUTREACH_PUBLIC_URL, and "
                               "OUTREACH_GATEWAY_NAMES.")
        if is_foreign(method, host, headers.get("origin"), headers.get("sec-fetch-site")):
            raise Refused(403, "This gateway asks for no token, so pages of other sites may change nothing.")

    def _holder(self, tokens: TokenFile, headers: Headers, address: str, scope: Scope) -> Caller:
        presented = _token(headers)
        if presented is None:
            self._count(_of(address))
            raise Refused(401, "A token is needed: Authorization: Bearer ort_…", {"WWW-Authenticate": "Bearer"})
        found = tokens.holder(presented)
        if found is None:
            # Good tokens go on from the same address, which may be that of a proxy or of a whole office: there is
            # nothing to guess in 256 random bits, so what is limited is what wrong ones cost, and say in the log.
            if wait := self._mistaken.wait(address):
                raise _too_often(wait)
            _log.warning("token_refused", client=address)
            raise Refused(401, "This token is not known here, or has expired.",
                          {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        name, token = found
        self._count(f"token {name}")
        if scope not in token.scopes:
            raise Refused(403, f"This needs a token with the scope {scope}; {name} has {', '.join(token.scopes)}.",
                          {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'})
        return Caller(name, frozenset(token.scopes))


def _token(headers: Headers) -> str | None:
    """The bearer token of a request; None: it has none. Two headers are none, since nobody can say who is meant."""
    given = headers.getlist("authorization")
    kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if kind.lower() == "bearer" else None


def _of(address: str) -> str:
    """Under what an address counts: nothing that a proxy hands on as one is the name of a token."""
    return f"address {address}"


def _check_form(path: str, headers: Headers) -> None:
    """Refuse what two readers may read in two ways. Raises `Refused`."""
    if "content-length" in headers and "transfer-encoding" in headers:
        # Where it ends is told twice: what a proxy in front takes for its body may be the next request to us
        # (RFC 9112, section 6.3, which wants the connection closed).
        raise Refused(400, "A request has a Content-Length or a Transfer-Encoding, not both.", {"Connection": "close"})
    if path.endswith("\n"):
        # A route's pattern looks past a line feed at the end, so that its scope would not be the route's.
        raise Refused(404, "No path ends in a line feed.")


def _too_often(wait: float) -> Refused:
    return Refused(429, "Too many requests: ask again later.", {"Retry-After": str(max(1, ceil(wait)))})


def tokens_of(settings: Settings) -> TokenFile | None:
    """The tokens that are configured; None: nobody is asked for one. Raises `TokenErrors`."""
    return TokenFile(settings.gateway_tokens) if settings.gateway_tokens else None


def names_of(settings: Settings) -> set[str]:
    """The host names that a gateway without tokens answers to, besides localhost and addresses."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    return {name for name in (settings.gateway_host.lower(), public, *(settings.gateway_names or ())) if name}


class Guarded:
    """ASGI middleware: lets in whom the door lets in, tells who it is, and ends answers that outlive their token."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it. Whatever is no request of HTTP is refused: there is nothing of the kind."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Connection, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        address = address_group((scope.get("client") or ("unknown", 0))[0])
        try:
            found = self._door.open_for(scope["method"], scope["path"], headers, address)
        except Refused as refused:
            await JSONResponse({"detail": refused.detail}, refused.status, refused.headers)(scope, receive, send)
            return
        answer = _Answer(send, lambda: found.name is None or self._door.still_in(
            scope["method"], scope["path"], headers))
        token = caller.set(found)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if not answer.cut_off:
                raise
        finally:
            caller.reset(token)


class _Answer:
    """What is sent back. One that goes on and on (`/api/v1/events`) ends when its token is good no more."""

    def __init__(self, send: Send, good: Callable[[], bool]) -> None:
        self._send, self._good, self.cut_off = send, good, False

    async def send(self, message: Message) -> None:
        """Pass on a part. Raises ConnectionError once it was cut off, as if the client had left."""
        if not self.cut_off and message.get("more_body") and not self._good():
            self.cut_off = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.cut_off:
            raise ConnectionError("the token is good no more")
        await self._send(message)
