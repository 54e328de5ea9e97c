# ruff: noqa: INP001 - a module on its own
"""An engine for a company's own mail gateway: each mail is POSTed to it as JSON.

The gateway's contract, which `outcome` is written from:

    202 {"id": "…"}        it has the mail, and calls it so
    422                    there is no such recipient
    400, 413               it does not take this mail, whoever it is for
    401, 403, 404          the token is wrong, or may not send, or the path is wrong
    429, Retry-After: 5    too fast: again in 5 seconds, or when it pleases us
    500, 502, 503          it does not have the mail; the same may succeed later
    504                    it does not know whether it has the mail
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from outreach_stream.domain.message import Mail, OutgoingMessage
from outreach_stream.domain.outcomes import (
    Accepted,
    EngineStopped,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    Refusal,
    Throttled,
    Transient,
)
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.http_check import preflight
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_engine import HttpEngine
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.values import SecretRef

ACCEPTED, THROTTLED, SERVERS_SIDE = 202, 429, 500
MEANINGS: dict[int, type[Refusal]] = {
    400: MessageRejected,
    401: EngineStopped,
    403: EngineStopped,
    404: EngineStopped,
    413: MessageRejected,
    422: RecipientRejected,
    500: Transient,
    502: Transient,
    503: Transient,
    504: InDoubt,
}


class WebhookConfig(HttpConfig):
    """A gateway that takes mails as JSON."""

    kind: Literal["webhook"]
    host: str = Field(pattern=r"^[A-Za-z0-9.-]+$")
    """Where the gateway is; reached by HTTPS."""
    path: str = Field(default="/mails", pattern=r"^/[A-Za-z0-9._~/-]*$")
    """What is POSTed to."""
    token: SecretRef
    """Sent as `Authorization: Bearer …`. Read anew at each connection."""

    @property
    def usual_url(self) -> str:
        """The gateway, unless `base_url` says otherwise."""
        return f"https://{self.host}"


class Webhook:
    """See `outreach_stream.engines.http_engine.Provider`."""

    rate: float | None = None
    """The gateway does not say how fast it may be used."""

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        self._headers: Mapping[str, str] = {}

    async def prepare(self, ask: Ask) -> Refusal | None:  # noqa: ARG002 - there is nothing to ask
        """Read the token; off the event loop, since it may lie in a file."""
        token = await asyncio.to_thread(self._config.token.resolve)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return None

    def request(self, message: OutgoingMessage) -> Request | Refusal:
        """The mail as JSON. The gateway may drop what comes twice: the key is the same on every attempt."""
        body = json.dumps(described(message.mail) | {"recipient": message.recipient, "return_path": message.sender})
        return Request("POST", self._config.path, {"Idempotency-Key": message.message_id, **self._headers},
                       body.encode())

    def outcome(self, answer: Answer) -> Outcome:
        """What the gateway's contract says; total over all answers."""
        reason, detail = f"send_{answer.status}", answer.body[:300].decode(errors="replace")
        if answer.status == ACCEPTED:
            name = named(answer.body)
            return Accepted(name) if name else InDoubt("send_unclear_answer", detail)
        if answer.status == THROTTLED:
            seconds = answer.headers.get("retry-after", "")
            return Throttled(reason, detail, float(seconds) if seconds.isascii() and seconds.isdecimal() else None)
        # Of a 5xx that the contract does not know nobody can say whether the mail was taken. Anything else that it does
        # not know would be the same for everybody: somebody has to look.
        unknown = InDoubt if answer.status >= SERVERS_SIDE else EngineStopped
        return MEANINGS.get(answer.status, unknown)(reason, detail)


def described(mail: Mail) -> dict[str, Any]:
    """What the reader will see, as the gateway wants it."""
    return {
        "from": mail.sender._asdict(), "to": mail.to._asdict(), "subject": mail.subject, "text": mail.text,
        "html": mail.html, "reply_to": mail.reply_to._asdict() if mail.reply_to else None,
        "headers": dict(mail.headers), "tags": mail.tags,
        "files": [{"name": file.name, "type": file.media_type, "content": file.base64, "content_id": file.content_id}
                  for file in mail.files],
    }


def named(body: bytes) -> str | None:
    """What the gateway calls the mail; None: its answer is not what the contract says."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    name = said.get("id") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name else None


def build(config: WebhookConfig) -> HttpEngine:
    """The engine; touches neither network nor files."""
    return HttpEngine(config, Webhook(config))


def check(config: WebhookConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:  # noqa: ARG001 - it takes them all
    """Settings, DNS, connection and TLS; the gateway has nothing to ask."""
    return preflight(config, {})


KIND = EngineKind(WebhookConfig, build, check)
