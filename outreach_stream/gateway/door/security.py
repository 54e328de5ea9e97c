"""What every answer says to browsers, and the last resort for what nobody expected."""

from collections.abc import Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outreach_stream.gateway.door.scopes import is_open

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",       # a path may hold a run's id, or an unsubscribe token
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",              # for those who do not know frame-ancestors
}
_API = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",            # recipients and orders are nobody's cache's business
}
_PAGE = {
    # Nothing inline and nothing from elsewhere: text that comes out of a database can start no script.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}

_log = structlog.get_logger()


def headers_for(path: str, *, https: bool) -> Mapping[str, str]:
    """The headers of an answer on `path`; `https`: the outside reaches us by https only."""
    return _ALWAYS | (_PAGE if is_open(path) else _API) | (_HSTS if https else {})


class SecureHeaders:
    """ASGI middleware, the outermost: each answer gets the headers that it has not set itself.

    An error that nobody expected is answered here, with 500 and no detail, and told in the process log: above us is
    only Starlette's own answer to it, which would be without headers.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app, self._https = app, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def secured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in headers_for(scope["path"], https=self._https).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, secured)
        except Exception:
            if started:
                raise   # the server closes the connection, so that nobody takes a part for the whole
            _log.exception("request_failed", method=scope["method"])
            await JSONResponse({"detail": "This should not have happened; the process log says more."}, 500)(
                scope, receive, secured)
