"""What SendGrid is asked before the first mail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson

from outreach_stream.domain.outcomes import Failure
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.http_check import Question
from outreach_stream.engines.http_connect import Ask
from outreach_stream.engines.http_wire import Answer, Request
from outreach_stream.engines.preflight import Step, of_failure
from outreach_stream.engines.sendgrid_answers import outcome_of

_OK = 200
_MAY_NOT = frozenset({401, 403, 404})
"""A key that may send need not be allowed to read: it is then refused with one of these."""


def questions(headers: Callable[[], Mapping[str, str]], senders: Sequence[str]) -> Mapping[Step, Question]:
    """Login, quota and senders. `headers` reads the key, and may block."""
    async def get(ask: Ask, path: str) -> Answer:
        return await ask(Request("GET", path, await asyncio.to_thread(headers)))

    async def login(ask: Ask) -> AsyncIterator[Finding]:
        yield _login(await get(ask, "/v3/scopes"))

    async def quota(ask: Ask) -> AsyncIterator[Finding]:
        yield _quota(await get(ask, "/v3/user/credits"))

    async def sender(ask: Ask) -> AsyncIterator[Finding]:
        domains = await get(ask, "/v3/whitelabel/domains?limit=500")
        singles = await get(ask, "/v3/verified_senders?limit=500")
        for address in senders:
            yield _sender(address, _domains(domains), _singles(singles))

    return {"login": login, "quota": quota, "sender": sender}


def _login(answer: Answer) -> Finding:
    """https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions."""
    if answer.status != _OK:
        return _refused("login", answer)
    scopes = _json(answer).get("scopes")
    if not isinstance(scopes, list) or "mail.send" not in scopes:
        return Finding("login", False, "the key is known, but may not send: give it the scope mail.send (in SendGrid's "
                                       "settings under API keys)")
    return Finding("login", True, "the key may send mail")


def _quota(answer: Answer) -> Finding:
    """https://www.twilio.com/docs/sendgrid/api-reference/users-api/retrieve-your-credit-balance."""
    if answer.status in _MAY_NOT:
        return Finding("quota", None, "the key may not read the credits (scope user.credits.read)")
    if answer.status != _OK:
        return _refused("quota", answer)
    credit = _json(answer)
    remain, total, reset = credit.get("remain"), credit.get("total"), credit.get("next_reset")
    if not isinstance(remain, int):
        return Finding("quota", None, "the credits are not told")
    # At 0 a plan with overage goes on, at a price, and one without refuses: which it is, is not told.
    return Finding("quota", True if remain > 0 else None, f"{remain} of {total} credits are left until {reset}")


def _sender(address: str, domains: frozenset[str] | None, singles: frozenset[str] | None) -> Finding:
    domain = address.rpartition("@")[2].lower()
    if domains and domain in domains:
        return Finding("sender", True, f"{address}: its domain is authenticated")
    if singles and address.lower() in singles:
        return Finding("sender", True, f"{address} is a verified sender")
    if domains is None or singles is None:
        return Finding("sender", None, f"{address}: the key may not read the authenticated domains or verified senders")
    if any(domain.endswith(f".{parent}") for parent in domains):
        return Finding("sender", None, f"{address}: only a domain above its own is authenticated")
    return Finding("sender", False, f"{address} is not verified, mails from it are refused: authenticate its domain, "
                                    "or verify it as a single sender")


def _domains(answer: Answer) -> frozenset[str] | None:
    """Those whose records are in place. https://www.twilio.com/docs/sendgrid/api-reference/domain-authentication."""
    return _named(_parsed(answer), "domain", "valid")


def _singles(answer: Answer) -> frozenset[str] | None:
    """https://www.twilio.com/docs/sendgrid/api-reference/sender-verification/get-all-verified-senders."""
    return _named(_json(answer).get("results"), "from_email", "verified")


def _named(entries: object, name: str, good: str) -> frozenset[str] | None:
    """The names of the good entries; None: that is no list, so the key may not read it."""
    if not isinstance(entries, list):
        return None
    return frozenset(entry[name].lower() for entry in entries
                     if isinstance(entry, dict) and entry.get(good) is True and isinstance(entry.get(name), str))


def _json(answer: Answer) -> dict[str, Any]:
    found = _parsed(answer)
    return found if isinstance(found, dict) else {}


def _parsed(answer: Answer) -> object:
    try:
        found: object = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return found


def _refused(step: Step, answer: Answer) -> Finding:
    outcome = outcome_of(answer, sandbox=False, now=0.0)
    if isinstance(outcome, Failure):
        return of_failure(step, outcome)
    return Finding(step, None, f"answered {answer.status}, which says nothing")
