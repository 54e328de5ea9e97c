"""Requests that each provider's stand-in takes, and a client that is not ours to send them with."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from outreach_stream.inbox import Inbox
from outreach_stream.inbox.providers import stand_in

MESSAGE = b"From: News <n@s.example>\r\nTo: joe@r.example\r\nSubject: Hi\r\nMessage-ID: <7@s.example>\r\n\r\nHello\r\n"


@dataclass
class Client:
    """Hands mails over to one stand-in; 0: the connection was lost."""

    kind: str
    inbox: Inbox
    http: httpx.AsyncClient
    last: httpx.Response | None = field(default=None, init=False)

    async def send(self, recipient: str = "joe@r.example", **changes: Any) -> int:
        """The status of the answer."""
        try:
            self.last = await self.http.send(self.request(recipient, **changes))
        except httpx.TransportError:
            return 0
        return self.last.status_code

    def request(self, recipient: str, **changes: Any) -> httpx.Request:
        return {"sendgrid": self._sendgrid, "mailgun": self._mailgun, "ses": self._ses}[self.kind](recipient, changes)

    def _sendgrid(self, recipient: str, changes: dict[str, Any]) -> httpx.Request:
        body = {
            "personalizations": [{"to": [{"email": recipient, "name": "Joe"}]}], "from": {"email": "n@s.example"},
            "subject": "Hi", "content": [{"type": "text/plain", "value": "Hello"}],
            "headers": {"Message-ID": "<7@s.example>"},
        } | changes
        return self.http.build_request("POST", "/v3/mail/send", json={k: v for k, v in body.items() if v is not None},
                                       headers={"Authorization": "Bearer SG.made-up.key"})

    def _mailgun(self, recipient: str, changes: dict[str, Any]) -> httpx.Request:
        data = {"to": recipient, "o:tag": ["spring"]} | changes
        request = self.http.build_request("POST", "/v3/mg.example.com/messages.mime", data=data,
                                          files={"message": ("message.eml", MESSAGE, "message/rfc822")})
        request.headers["Authorization"] = "Basic " + b64encode(b"api:key-made-up").decode()
        return request

    def _ses(self, recipient: str, changes: dict[str, Any]) -> httpx.Request:
        body = {"FromEmailAddress": "n@s.example", "Destination": {"ToAddresses": [recipient]},
                "Content": {"Raw": {"Data": b64encode(MESSAGE).decode()}}} | changes
        return self.signed("POST", "/v2/email/outbound-emails", json.dumps(body).encode())

    def signed(self, method: str, path: str, body: bytes = b"", secret: str = "made-up-secret") -> httpx.Request:
        """As AWS's own client signs."""
        url = str(self.http.base_url.join(path))
        request = AWSRequest(method, url, {"Content-Type": "application/json", "Host": urlsplit(url).netloc}, body)
        SigV4Auth(Credentials("AKIAMADEUP", secret), "ses", "eu-central-1").add_auth(request)
        return self.http.build_request(method, path, content=body, headers=dict(request.headers.items()))


@asynccontextmanager
async def client_of(kind: str, **options: Any) -> AsyncIterator[Client]:
    """A stand-in, and a client of it."""
    async with (Inbox(provider=stand_in(kind), **options) as inbox,
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{inbox.port}", trust_env=False, timeout=3) as http):
        yield Client(kind, inbox, http)
