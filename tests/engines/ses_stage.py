"""What the tests of the SES engine share: a configuration, mails, and an API that says what a test wants."""

import json
from contextlib import asynccontextmanager

from aiohttp import web

from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.engines.ses import SesConfig

SEND, ACCOUNT = ("POST", "/v2/email/outbound-emails"), ("GET", "/v2/email/account")
SENT = (200, {"MessageId": "0100018f-1"})
PRODUCTION = {"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "HEALTHY",
              "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 3.0}}
TOLD = (200, PRODUCTION)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

CONTENT = (b"From: =?utf-8?b?TsOkd3M=?=\r\n <news@example.com>\r\nTo: r@r.example\r\nMessage-ID: <7@example.com>\r\n"
           b"Subject: Hi\r\nList-Unsubscribe: <https://s.example/u>\r\n\r\n.Hello\r\n")


def config(**more) -> SesConfig:
    return SesConfig.model_validate({
        "id": "ses", "kind": "ses", "region": "eu-west-1", "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "env:SES_SECRET"} | more)


def mail(content: bytes = CONTENT, recipient: str = "r@r.example", **told) -> OutgoingMessage:
    told = {"sender": Mailbox("news@example.com", "Näws"), "to": Mailbox(recipient), "subject": "Hi"} | told
    return OutgoingMessage("<7@example.com>", "news@example.com", recipient, Mail(**told), lambda **_: content)


@asynccontextmanager
async def api(answers: dict):
    """Answers by method and path (as it is on the wire), each a status, a body and headers; and what was asked.

    An answer may be a list: one after another, the last for ever.
    """
    asked = []

    async def serve(request: web.Request) -> web.Response:
        asked.append((request.method, request.raw_path, request.headers.copy(), await request.read()))
        found = answers.get((request.method, request.raw_path), (404, {}, {"x-amzn-ErrorType": "NotFoundException"}))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        status, body, *headers = found
        return web.Response(status=status, body=json.dumps(body), headers=headers[0] if headers else None)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", asked
    finally:
        await runner.cleanup()
