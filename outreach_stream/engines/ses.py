"""Amazon SES's API, version 2: our own MIME message (`Content.Raw`), signed with AWS's signature.

So List-Unsubscribe, Reply-To and attachments are exactly ours. SES writes its own Message-ID and Date over ours
(https://docs.aws.amazon.com/ses/latest/dg/header-fields.html), a Return-Path and a Feedback-ID of its own, and signs
(DKIM) for the verified domain. Its MessageId, which the run's log has, is the left part of the new Message-ID.
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import MessageRejected, Outcome, RecipientRejected, Refusal
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.config import EngineKind
from outreach_stream.engines.http_check import preflight
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_engine import HttpEngine
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.ses_account import Quota
from outreach_stream.engines.ses_answers import outcome
from outreach_stream.engines.ses_check import AccountCheck
from outreach_stream.engines.ses_signing import Signer, found, given
from outreach_stream.values import SecretRef

LARGEST = 40 * 1024 * 1024
"""Bytes of a message, attachments in base64: https://docs.aws.amazon.com/ses/latest/dg/quotas.html."""

_PATH = "/v2/email/outbound-emails"
_FROM = re.compile(rb"^From:[ \t]*([^\r\n]+(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)

type Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _check_region(name: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]+", name):
        raise ValueError("must be a region of AWS: write for example eu-central-1")
    return name


class SesConfig(HttpConfig):
    """An AWS account's SES in one region.

    The key needs the permissions `ses:SendEmail` and `ses:SendRawEmail`, and `ses:GetAccount` where no `rate` is given;
    `engine check` asks for `ses:GetEmailIdentity`, too.
    """

    provider_tells_rate: ClassVar[bool] = True

    kind: Literal["ses"]
    region: Annotated[str, AfterValidator(_check_region)]
    """AWS region that sends: `eu-west-1`. Quota, sandbox and verified senders are each region's own."""
    access_key_id: str | None = Field(default=None, pattern=r"^[!-~]+$")
    """Id of the key that signs, or `env:NAME`. None: what botocore finds (environment, ~/.aws, web identity, the
    container's or the machine's role), renewed before it expires."""
    secret_access_key: SecretRef | None = None
    """Its secret. Read anew at each connection, and every minute."""
    session_token: SecretRef | None = None
    """Third part of temporary credentials."""
    configuration_set: Name | None = None
    """Where SES tells of what becomes of the mails, and by which addresses they leave; None: the sender's default."""
    tenant: Name | None = None
    """Tenant that the mails are sent for; the sender and the configuration set must be associated with it."""
    lanes: int | None = Field(default=None, ge=1, le=1_024)
    """Lanes its mails are spread over. Without a `rate` one: a single process then keeps the rate that SES tells
    (`MaxSendRate`). With a `rate`: None is as many as the layout has."""

    @model_validator(mode="before")
    @classmethod
    def _one_lane_for_an_untold_rate(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("rate") is None and data.get("lanes") is None:
            return {**data, "lanes": 1}
        return data

    @field_validator("secret_access_key", "session_token")
    @classmethod
    def _whole_key(cls, value: SecretRef | None, info: ValidationInfo) -> SecretRef | None:
        if info.field_name == "session_token":
            if value is not None and info.data.get("secret_access_key", value) is None:
                raise ValueError("belongs to a key: give access_key_id and secret_access_key, too")
        elif (value is None) != (info.data.get("access_key_id", value) is None):
            raise ValueError("belongs to access_key_id: give both, or neither")
        return value

    @property
    def usual_url(self) -> str:
        """The region's: https://docs.aws.amazon.com/general/latest/gr/ses.html."""
        return f"https://email.{self.region}.amazonaws.com"

    def signer(self) -> Signer:
        """Signs with the catalog's key, or with what is found."""
        if self.access_key_id is None or self.secret_access_key is None:
            return Signer(self.region, found())
        return Signer(self.region, given(self.access_key_id, self.secret_access_key, self.session_token))


class Ses:
    """See `outreach_stream.engines.http_engine.Provider`."""

    def __init__(self, config: SesConfig) -> None:
        self._config = config
        self._signer = config.signer()
        self._quota = Quota(needed=config.rate is None)
        self.rate: float | None = None
        """The account's `MaxSendRate`."""

    async def prepare(self, ask: Ask) -> Refusal | None:
        """Read the key, and the account's quota if what is known of it is old."""
        await self._signer.prepare(self._config.origin())
        refusal = await self._quota.refusal(lambda request: ask(self._signer.sign(request)))
        self.rate = self._quota.rate
        return refusal

    def request(self, message: OutgoingMessage) -> Request | Refusal:
        """The signed request, or why SES would not take the mail."""
        if not message.recipient.isascii():
            return RecipientRejected("send_unfit_address", "SES takes ASCII addresses only (it has no SMTPUTF8)")
        content = message.mime()
        if len(content) > LARGEST:
            return MessageRejected("send_too_large", f"{len(content)} bytes, SES takes {LARGEST}")
        body = {**addressed(message, content), "Content": {"Raw": {"Data": b64encode(content).decode()}}}
        if self._config.configuration_set:
            body["ConfigurationSetName"] = self._config.configuration_set
        if self._config.tenant:
            body["TenantName"] = self._config.tenant
        return self._signer.sign(Request("POST", _PATH, {"Content-Type": "application/json"}, orjson.dumps(body)))

    def outcome(self, answer: Answer) -> Outcome:
        """See `outreach_stream.engines.ses_answers`."""
        return outcome(answer)


def addressed(message: OutgoingMessage, content: bytes) -> dict[str, Any]:
    """Who sends, who gets it, and what it is counted under.

    SES puts FromEmailAddress in the place of the From header, so it is the same, name and all. The tags are values of
    the names `tag`, `tag2`, `tag3`, …: a name means one thing in a mail's events, and SES does not say whether it may
    come twice (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html).
    """
    sender = _FROM.search(content)
    fields: dict[str, Any] = {
        "FromEmailAddress": re.sub(rb"\r\n[ \t]+", b" ", sender[1]).decode() if sender else message.mail.sender.email,
        "Destination": {"ToAddresses": [message.recipient]},
    }
    if message.sender != message.mail.sender.email:
        fields["FeedbackForwardingEmailAddress"] = message.sender
    if message.mail.tags:
        fields["EmailTags"] = [{"Name": "tag" if number == 1 else f"tag{number}", "Value": tag}
                               for number, tag in enumerate(message.mail.tags, 1)]
    return fields


def build(config: SesConfig) -> HttpEngine:
    """The engine; touches neither network nor files."""
    return HttpEngine(config, Ses(config))


def check(config: SesConfig, senders: Sequence[str]) -> AsyncIterator[Finding]:
    """Key, account and senders; see `outreach_stream.engines.config.EngineKind`."""
    signer = config.signer()

    async def prepare() -> None:
        await signer.prepare(config.origin())

    asked = AccountCheck(senders, prepare, signer.sign)
    return preflight(config, {"login": asked.login, "quota": asked.quota, "sender": asked.sender})


KIND = EngineKind(SesConfig, build, check)
