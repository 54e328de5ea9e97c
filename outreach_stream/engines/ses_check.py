"""What the preflight asks SES: whether the keys are good, what the account may do, whether the senders are verified."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from urllib.parse import quote

from pydantic import ValidationError

from outreach_stream.domain.outcomes import Failure
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.preflight import of_failure
from outreach_stream.engines.ses_account import ACCOUNT, Account, Told, account_of
from outreach_stream.engines.ses_answers import DENIED, fault

_OK, _NOT_FOUND = 200, 404


class Dkim(Told):
    """Whether SES signs for an identity."""

    signing_enabled: bool = False
    status: str = ""
    """`SUCCESS`, or why not."""


class Identity(Told):
    """An address or a domain that may be verified.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html
    """

    verified_for_sending_status: bool
    dkim_attributes: Dkim = Dkim()


class AccountCheck:
    """The questions; the account is asked for once."""

    def __init__(self, senders: Sequence[str], prepare: Callable[[], Awaitable[None]],
                 sign: Callable[[Request], Request]) -> None:
        self._senders, self._prepare, self._sign = senders, prepare, sign
        self._account: Account | None = None

    async def login(self, ask: Ask) -> AsyncIterator[Finding]:
        """Whether the keys are found, and good."""
        await self._prepare()
        answer = await ask(self._sign(ACCOUNT))
        told = account_of(answer)
        if isinstance(told, Failure):
            yield of_failure("login", told)
        elif told is not None:
            self._account = told
            yield Finding("login", True, "the key is good")
        elif fault(answer).name in DENIED:
            yield Finding("login", True, "the key is good, though it may not ask for the account")
        else:
            yield Finding("login", False, f"{answer.status}, which is no answer to our question: check base_url")

    async def quota(self, ask: Ask) -> AsyncIterator[Finding]:  # noqa: ARG002 - it has been asked
        """How fast, how much, and for whom."""
        if self._account is None:
            yield Finding("quota", None, "not told: allow the key ses:GetAccount, or give the engine a rate")
            return
        for finding in account_findings(self._account):
            yield finding

    async def sender(self, ask: Ask) -> AsyncIterator[Finding]:
        """Whether each sender is verified, by its address or by a domain of it."""
        for sender in self._senders:
            yield await self._sender(sender, ask)

    async def _sender(self, sender: str, ask: Ask) -> Finding:
        pending = None
        for name in identities(sender):
            answer = await ask(self._sign(Request("GET", f"/v2/email/identities/{quote(name, safe='')}")))
            if answer.status == _NOT_FOUND:
                continue
            identity = _identity(answer)
            if identity is None:
                return Finding("sender", None, f"{sender}: not told ({fault(answer).name or answer.status}): allow "
                                               "the key ses:GetEmailIdentity")
            if identity.verified_for_sending_status:
                return verified(sender, name, identity.dkim_attributes)
            pending = pending or name
        if pending:
            return Finding("sender", False, f"{sender}: {pending} waits to be verified: set its DNS records, or follow "
                                            "the link in the mail that AWS sent")
        return Finding("sender", False, f"{sender}: neither the address nor its domain is known to SES in this region: "
                                        "verify one")


def identities(sender: str) -> Iterator[str]:
    """What may be verified for a sender: its address, its domain, and the domains that this is part of."""
    yield sender
    domain = sender.rpartition("@")[2]
    while "." in domain:
        yield domain
        domain = domain.partition(".")[2]


def verified(sender: str, name: str, dkim: Dkim) -> Finding:
    """A sender that may send; without a signature its mail is not trusted by many."""
    how = sender if name == sender else f"{sender} by {name}"
    if dkim.signing_enabled and dkim.status == "SUCCESS":
        return Finding("sender", True, f"{how} is verified, SES signs for it (DKIM)")
    why = dkim.status if dkim.signing_enabled else "off"
    return Finding("sender", None, f"{how} is verified, but SES does not sign for it (DKIM: {why or 'unknown'}): set "
                                   "the domain's DKIM up in the SES console")


def account_findings(account: Account) -> Iterator[Finding]:
    """What the account's state says about sending."""
    quota = account.send_quota
    if (refusal := account.refusal) is not None:
        yield of_failure("quota", refusal)
    else:
        day = "no daily limit" if quota.max_24_hour_send < 0 else f"{quota.max_24_hour_send:.0f} in 24 hours"
        yield Finding("quota", True, f"{quota.max_send_rate:g} mails a second, {day}; sent in the last 24 hours: "
                                     f"{quota.sent_last_24_hours:.0f}")
    if account.enforcement_status == "PROBATION":
        yield Finding("quota", None, "AWS has put the account under review: see the SES console")
    if not account.production_access_enabled:
        yield Finding("quota", None, "the account is in the sandbox, where only verified recipients are mailed: "
                                     "request production access")


def _identity(answer: Answer) -> Identity | None:
    try:
        return Identity.model_validate_json(answer.body) if answer.status == _OK else None
    except ValidationError:
        return None
