"""Mailgun's API, version 3: our own MIME message, uploaded as a file (`messages.mime`).

So Message-ID, List-Unsubscribe and attachments are exactly ours; Mailgun signs (DKIM) and sends.
https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages/post-v3--domain-name--messages-mime
"""

import asyncio
import re
import secrets
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import EngineStopped, MessageRejected, Outcome, RecipientRejected, Refusal
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.http_check import preflight
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_engine import HttpEngine
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.mailgun_answers import outcome
from outreach_stream.engines.mailgun_domain import DomainCheck
from outreach_stream.values import SecretRef

_REGIONS = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")

_SEVERAL = re.compile(r'[\x00-\x20,;"<>\\\x7f]')
"""What separates addresses, or quotes what does, in the list that `to` is."""

LARGEST = 25 * 1024 * 1024
"""Bytes of a message ("the maximum message size Mailgun supports is 25MB")."""
MOST_TAGS, LONGEST_TAG = 10, 128
"""https://help.mailgun.com/hc/en-us/articles/34389096824219-Tags, and the user manual on tags."""

type Option = Literal["to", "o:tag", "o:testmode"]
"""The fields that we use; their names go into headers, so there are no others."""


def _check_domain(text: str) -> str:
    if not _DOMAIN.fullmatch(text.lower()):
        raise ValueError('must be the domain as Mailgun lists it: write for example "mg.example.com"')
    return text.lower()


class MailgunConfig(HttpConfig):
    """A sending domain at Mailgun."""

    kind: Literal["mailgun"]
    api_key: SecretRef
    """The account's key, or better a sending key of the domain. Read anew at each connection."""
    domain: Annotated[str, AfterValidator(_check_domain)]
    """The sending domain as Mailgun lists it; the workflows' senders should belong to it."""
    region: Literal["us", "eu"] = "us"
    """Where the domain was created: in the other region Mailgun does not know it."""
    test_mode: bool = False
    """Mailgun takes each mail, says yes, and delivers none (`o:testmode`)."""

    @property
    def usual_url(self) -> str:
        """The region's."""
        return _REGIONS[self.region]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Also that nothing is delivered."""
        tests = ("test_mode is on: Mailgun says yes to every mail, delivers none, and charges for each",)
        return super().warnings + (tests if self.test_mode else ())

    @property
    def delivers(self) -> bool:
        """Not in test mode."""
        return not self.test_mode


class Mailgun:
    """See `outreach_stream.engines.http_engine.Provider`."""

    rate: float | None = None
    """Mailgun has no question for it."""

    def __init__(self, config: MailgunConfig) -> None:
        self._config = config
        self._path = f"/v3/{config.domain}/messages.mime"
        self._headers: Mapping[str, str] = {}

    async def prepare(self, ask: Ask) -> Refusal | None:  # noqa: ARG002 - there is nothing to ask
        """Read the key."""
        self._headers = await authorized(self._config)
        return None

    def request(self, message: OutgoingMessage) -> Request | Refusal:
        """The message as a form, or why Mailgun would not take it, or not as it is meant."""
        tags = message.mail.tags
        if _SEVERAL.search(message.recipient):
            return RecipientRejected("send_unfit_address", "Mailgun would read this address as several, or as none")
        if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG or not tag.isascii() for tag in tags):
            return EngineStopped("send_unfit_tags", f"Mailgun takes {MOST_TAGS} tags of {LONGEST_TAG} ASCII "
                                                    "characters each: correct the workflow's tags")
        content = message.mime(smtputf8=not message.recipient.isascii())
        if len(content) > LARGEST:
            return MessageRejected("send_too_large", f"{len(content)} bytes, Mailgun takes {LARGEST}")
        fields: list[tuple[Option, str]] = [("to", message.recipient), *(("o:tag", tag) for tag in tags)]
        if self._config.test_mode:
            fields.append(("o:testmode", "yes"))
        return form(self._path, self._headers, fields, content)

    def outcome(self, answer: Answer) -> Outcome:
        """See `outreach_stream.engines.mailgun_answers`."""
        return outcome(answer, time.time())


async def authorized(config: MailgunConfig) -> Mapping[str, str]:
    """The header with the key; raises `UnresolvedReference`."""
    key = await asyncio.to_thread(config.api_key.resolve)
    return {"Authorization": "Basic " + b64encode(f"api:{key}".encode()).decode()}


def form(path: str, headers: Mapping[str, str], fields: Sequence[tuple[Option, str]], message: bytes) -> Request:
    """A POST of multipart/form-data (RFC 7578), the message in it as a file."""
    # 128 random bits, drawn when all that they must not occur in is written.
    boundary = secrets.token_hex(16)
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields]
    parts += [f'--{boundary}\r\nContent-Disposition: form-data; name="message"; filename="message.eml"\r\n'
              f"Content-Type: application/octet-stream\r\n\r\n".encode(), message, f"\r\n--{boundary}--\r\n".encode()]
    return Request("POST", path, {"Content-Type": f"multipart/form-data; boundary={boundary}", **headers},
                   b"".join(parts))


def build(config: MailgunConfig) -> HttpEngine:
    """The engine; touches neither network nor files."""
    return HttpEngine(config, Mailgun(config))


def check(config: MailgunConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    """The domain as Mailgun knows it; see `outreach_stream.engines.config.EngineKind`."""
    asked = DomainCheck(config.domain, senders, lambda: authorized(config))
    return preflight(config, {"login": asked.login, "quota": asked.quota, "sender": asked.sender})


KIND = EngineKind(MailgunConfig, build, check)
