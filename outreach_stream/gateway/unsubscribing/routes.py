"""`/u/…`: where unsubscribe links lead, for mail programs (RFC 8058) and for people. The link is all that is needed."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from outreach_stream.gateway.served import Served
from outreach_stream.gateway.unsubscribing import pages
from outreach_stream.gateway.writer import BrokerAwayError
from outreach_stream.recipients.unsubscribing import PATH

_HTML: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}
_FORM = {"schema": {"type": "object", "properties": {"List-Unsubscribe": {"const": "One-Click"}}}}
_BODY = {"requestBody": {"required": False, "content": {
    "application/x-www-form-urlencoded": _FORM, "multipart/form-data": _FORM}}}

router = APIRouter(prefix=f"/{PATH}", default_response_class=HTMLResponse)


@router.get("/{token}", responses={404: _HTML})
async def ask(token: str, gateway: Served) -> HTMLResponse:
    """The page behind a link, which asks. It changes nothing: scanners and previews follow every link."""
    who = gateway.suppressions.read(token)
    if who is None:
        return pages.unknown()
    return pages.left(who, token) if gateway.suppressions.has(who) else pages.ask(who)


@router.post("/{token}", responses={404: _HTML, 503: _HTML}, openapi_extra=_BODY)
async def unsubscribe(token: str, gateway: Served, request: Request) -> HTMLResponse:
    """Unsubscribe, with one request and no further question. Answers when Kafka has it for sure; may be repeated.

    The body says by whom: `List-Unsubscribe=One-Click` is a mail program, as a form of either kind; anything else, or
    nothing, is the page's button.
    """
    who = gateway.suppressions.read(token)
    if who is None:
        return pages.unknown()
    one_click = b"One-Click" in await request.body()
    try:
        await gateway.suppressions.leave([who], "one_click" if one_click else "page")
    except BrokerAwayError:
        return pages.not_now()
    return pages.left(who, token)


@router.post("/{token}/undo", responses={404: _HTML, 503: _HTML})
async def subscribe_again(token: str, gateway: Served) -> HTMLResponse:
    """Take it back: who has unsubscribed by mistake, or thinks again. Answers when Kafka has it for sure."""
    who = gateway.suppressions.read(token)
    if who is None:
        return pages.unknown()
    try:
        await gateway.suppressions.come_back([who], "page")
    except BrokerAwayError:
        return pages.not_now()
    return pages.back(who, token)
