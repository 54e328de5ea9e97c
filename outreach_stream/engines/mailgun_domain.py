"""What the preflight asks Mailgun: whether the key may send, the domain is ready, the senders belong to it."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from pydantic import BaseModel, ValidationError

from outreach_stream.domain.outcomes import Failure
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.mailgun_answers import outcome
from outreach_stream.engines.preflight import of_failure

_OK, _BAD_REQUEST = 200, 400
_DENIED = (401, 403)


class DnsRecord(BaseModel):
    """A record that Mailgun looks for."""

    record_type: str = ""
    name: str = ""
    valid: str = "unknown"
    """`valid`, `invalid` or `unknown`."""


class Disabled(BaseModel):
    """Why a domain may not send."""

    reason: str = ""


class Domain(BaseModel):
    """A domain's state."""

    state: str
    """`active`, `unverified` or `disabled`."""
    type: str = "custom"
    """`sandbox`: for tests."""
    disabled: Disabled | None = None


class DomainAnswer(BaseModel):
    """https://documentation.mailgun.com/docs/mailgun/api-reference/openapi-final/tag/Domains ("Get a domain")."""

    domain: Domain
    sending_dns_records: list[DnsRecord] | None = None


class DomainCheck:
    """Asks for the domain once."""

    def __init__(self, domain: str, senders: Sequence[str],
                 authorized: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._domain, self._senders, self._authorized = domain, senders, authorized
        self._known: DomainAnswer | None = None

    async def login(self, ask: Ask) -> AsyncIterator[Finding]:
        """Whether the key is good, and for what."""
        headers = await self._authorized()
        answer = await ask(Request("GET", f"/v4/domains/{self._domain}", headers))
        if answer.status in _DENIED:
            # A sending key may do nothing but send. A form without recipient and message tells it from a wrong key:
            # Mailgun misses the first field that it looks for, and nothing is sent.
            answer = await ask(Request("POST", f"/v3/{self._domain}/messages.mime",
                                       {"Content-Type": "multipart/form-data; boundary=none", **headers},
                                       b"--none--\r\n"))
            if answer.status == _BAD_REQUEST:
                yield Finding("login", True, f"the key may send for {self._domain}, and nothing else")
                return
        with suppress(ValidationError):
            self._known = DomainAnswer.model_validate_json(answer.body) if answer.status == _OK else None
        yield Finding("login", True, f"the key sees {self._domain}") if self._known else _refused(answer)

    async def quota(self, ask: Ask) -> AsyncIterator[Finding]:  # noqa: ARG002 - there is no question for it
        """Mailgun has none to ask."""
        yield Finding("quota", None, "Mailgun does not say how much, or how fast, an account may send: "
                                     "give a rate, hourly or daily if you know")

    async def sender(self, ask: Ask) -> AsyncIterator[Finding]:  # noqa: ARG002 - it has been asked
        """The domain's state, its DNS records, and the senders'."""
        if self._known is None:
            yield Finding("sender", None, "a sending key may not ask for the domain's state: look into Mailgun's "
                                          "control panel")
        else:
            for finding in domain_findings(self._domain, self._known):
                yield finding
        for finding in sender_findings(self._domain, self._senders):
            yield finding


def domain_findings(name: str, known: DomainAnswer) -> Iterator[Finding]:
    """What Mailgun's description of a domain says about sending from it."""
    domain = known.domain
    found = known.sending_dns_records or []
    missing = [f"{record.record_type} {record.name}".strip() for record in found if record.valid != "valid"]
    records = f"Mailgun does not find these DNS records as they should be: {', '.join(missing)}"
    if domain.state != "active":
        why = f" ({domain.disabled.reason})" if domain.disabled and domain.disabled.reason else ""
        what_to_do = records if missing else "Look into Mailgun's control panel"
        yield Finding("sender", False, f"{name} is {domain.state}{why}. {what_to_do}")
    elif missing:
        yield Finding("sender", None, f"{name} is active, but not whole. {records}")
    else:
        yield Finding("sender", True, f"{name} is active" + (", its DNS records are valid" if found else ""))
    if domain.type == "sandbox":
        yield Finding("sender", None, f"{name} is a sandbox: it reaches only recipients that the account authorized")


def sender_findings(name: str, senders: Sequence[str]) -> Iterator[Finding]:
    """Whether senders belong to the domain, so that its signature counts for them (DMARC, RFC 7489 section 3.1)."""
    for sender in senders:
        theirs = sender.rpartition("@")[2].lower()
        if theirs == name or theirs.endswith(f".{name}") or name.endswith(f".{theirs}"):
            yield Finding("sender", True, f"{sender} belongs to {name}")
        else:
            yield Finding("sender", None, f"{sender} does not belong to {name}, which signs: such mail may fail DMARC. "
                                          "Send from the domain, or add the sender's to Mailgun")


def _refused(answer: Answer) -> Finding:
    found = outcome(answer, time.time())
    if isinstance(found, Failure):
        return of_failure("login", found)
    return Finding("login", False, "the answer is none to our question: check base_url")
