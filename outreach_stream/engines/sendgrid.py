"""SendGrid's Web API v3: https://www.twilio.com/docs/sendgrid/api-reference/mail-send."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import orjson

from outreach_stream.domain.clock import Clock, wall_clock
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import MessageRejected, Outcome, RecipientRejected, Refusal
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.http_check import preflight
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_engine import HttpEngine
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.sendgrid_answers import outcome_of
from outreach_stream.engines.sendgrid_check import questions
from outreach_stream.engines.sendgrid_mail import body_of
from outreach_stream.values import SecretRef

_LARGEST = 30 * 1024 * 1024
"""Bytes: "The total size of your email, including attachments, must be less than 30MB"."""

_HOSTS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}


class SendGridConfig(HttpConfig):
    """An account at SendGrid."""

    kind: Literal["sendgrid"]
    api_key: SecretRef
    """Its key, with the scope `mail.send`."""
    region: Literal["global", "eu"] = "global"
    """Where mails are processed; `eu` needs the key of a subuser in the EU."""
    sandbox: bool = False
    """Mails are checked, counted as sent, and never delivered."""

    @property
    def usual_url(self) -> str:
        """The API of the region."""
        return _HOSTS[self.region]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What all HTTP engines warn of, and the sandbox."""
        return (*super().warnings, *(("sandbox is on: nothing is delivered",) if self.sandbox else ()))

    @property
    def delivers(self) -> bool:
        """Not in sandbox mode."""
        return not self.sandbox


class SendGrid:
    """See `outreach_stream.engines.http_engine.Provider`."""

    def __init__(self, config: SendGridConfig, clock: Clock = wall_clock) -> None:
        self.rate: float | None = None
        """The API names no limit for mail/send: it answers 429."""
        self._config, self._clock = config, clock
        self._headers: Mapping[str, str] = {}

    async def prepare(self, ask: Ask) -> Refusal | None:  # noqa: ARG002 - nothing needs to be asked
        """Read the key."""
        self._headers = headers(await asyncio.to_thread(self._config.api_key.resolve))
        return None

    def request(self, message: OutgoingMessage) -> Request | Refusal:
        """The mail as JSON."""
        if not message.mail.to.email.isascii():
            # It says 202, and drops the mail later as invalid: github.com/sendgrid/sendgrid-csharp/issues/656.
            return RecipientRejected("address_not_ascii", "SendGrid delivers to ASCII addresses only")
        content = body_of(message, sandbox=self._config.sandbox)
        if not content["content"]:
            return MessageRejected("body_empty", "a mail needs a text or html of at least one character")
        try:
            body = orjson.dumps(content)
        except orjson.JSONEncodeError:  # half a surrogate pair is no character: UTF-8 cannot write it
            return MessageRejected("not_utf8", "the mail holds half a character")
        if len(body) >= _LARGEST:
            return MessageRejected("message_too_large", f"{len(body)} bytes, and less than {_LARGEST} are taken")
        return Request("POST", "/v3/mail/send", self._headers, body)

    def outcome(self, answer: Answer) -> Outcome:
        """See `outcome_of`."""
        return outcome_of(answer, sandbox=self._config.sandbox, now=self._clock())


def headers(api_key: str) -> dict[str, str]:
    """What every request says."""
    return {"Authorization": f"Bearer {api_key}", "Accept": "application/json", "Content-Type": "application/json"}


async def check(config: SendGridConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    """The preflight: what the key may do, the credits, and whether the senders are verified."""
    async for finding in preflight(config, questions(lambda: headers(config.api_key.resolve()), senders)):
        yield finding


KIND = EngineKind(SendGridConfig, lambda config: HttpEngine(config, SendGrid(config)), check)
