"""What SES says of the account: whether it may send, how fast, and how much a day."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal

from outreach_stream.domain.outcomes import EngineStopped, Failure, Refusal, Throttled, Transient
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.ses_answers import KEYS, LONG_PAUSE, fault, outcome

log = structlog.get_logger()

ACCOUNT = Request("GET", "/v2/email/account")
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html; needs the permission ses:GetAccount."""
FRESH_SECONDS = 300.0
"""For which the account's quota is believed: AWS raises it without a word."""
REFUSED_SECONDS = 1.0
"""For which nobody asks again after a refusal: one question for all who wait."""


class Told(BaseModel):
    """Part of an answer, its names as AWS writes them."""

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True)


class SendQuota(Told):
    """Counted in recipients, for the account in one region."""

    max_24_hour_send: float = -1.0
    """-1: no limit."""
    max_send_rate: float = 0.0
    """Each second."""
    sent_last_24_hours: float = 0.0

    @property
    def used_up(self) -> bool:
        """Whether SES would refuse the next mail."""
        return 0 <= self.max_24_hour_send <= self.sent_last_24_hours


class Account(Told):
    """The account in one region."""

    send_quota: SendQuota
    sending_enabled: bool = True
    production_access_enabled: bool = True
    enforcement_status: str = "HEALTHY"
    """`PROBATION`: AWS watches; `SHUTDOWN`: it sends nothing."""

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing can be sent now."""
        if not self.sending_enabled or self.enforcement_status == "SHUTDOWN":
            return EngineStopped("prepare_sending_disabled", f"Sending is disabled ({self.enforcement_status}). Look "
                                                             "into the SES console, and the AWS account's mailbox")
        if self.send_quota.used_up:
            sent, most = self.send_quota.sent_last_24_hours, self.send_quota.max_24_hour_send
            return Throttled("prepare_daily_quota", f"{sent:.0f} of {most:.0f} mails in 24 hours", LONG_PAUSE)
        return None


def account_of(answer: Answer) -> Account | EngineStopped | Transient | None:
    """The account; or that nobody is believed with this key; or that it may be told later; or None: it is not told.

    That the question came too fast says nothing of mails, whose rate SES counts apart.
    """
    if answer.status == 200:  # noqa: PLR2004
        try:
            return Account.model_validate_json(answer.body)
        except ValidationError:
            return None
    failure = outcome(answer)
    assert isinstance(failure, Failure), "only a 2xx is a yes"
    if isinstance(failure, EngineStopped) and fault(answer).name in KEYS:
        return failure
    if isinstance(failure, Throttled) or answer.status >= 500:  # noqa: PLR2004
        return Transient(f"prepare_{failure.reason}", failure.detail)
    return None


class Quota:
    """The account's rate, asked now and then, by one caller for all."""

    def __init__(self, *, needed: bool) -> None:
        """`needed`: whether the catalog gives no rate, so that without the account's we would be too fast."""
        self.rate: float | None = None
        self._needed = needed
        self._refusal: Refusal | None = None
        self._until = -math.inf
        self._asking = asyncio.Lock()
        self._warned = False

    async def refusal(self, ask: Callable[[Request], Awaitable[Answer]]) -> Refusal | None:
        """Why nothing can be sent, if so. Asks when what is known is old; raises what `ask` does."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._until:
                self._refusal = self._learn(account_of(await ask(ACCOUNT)))
                self._until = loop.time() + (REFUSED_SECONDS if self._refusal else FRESH_SECONDS)
            return self._refusal

    def _learn(self, told: Account | EngineStopped | Transient | None) -> Refusal | None:
        if isinstance(told, Account):
            self.rate = told.send_quota.max_send_rate or self.rate  # an answer without one takes none back
            return told.refusal
        if isinstance(told, EngineStopped):
            return told
        if isinstance(told, Transient):  # what was told before still holds
            return told if self._needed and self.rate is None else None
        if self._needed and not self._warned:
            self._warned = True
            log.warning("ses_quota_not_told", hint="allow the key ses:GetAccount, or give the engine a rate")
        return None
