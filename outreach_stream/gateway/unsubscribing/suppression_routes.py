"""`/api/v1/suppression`: the lists of those who have unsubscribed, for services and operators.

Addresses stand in bodies, and never in a path, which every proxy on the way writes into its log.
"""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from outreach_stream.gateway.served import Served
from outreach_stream.gateway.writer import BrokerAwayError
from outreach_stream.recipients.addresses import canonical_address
from outreach_stream.recipients.unsubscribing import Subscription

MOST = 1_000
"""Addresses of one request."""

router = APIRouter(prefix="/api/v1/suppression/{name}")

ListName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
                               description="The list's name, as workflows say it under `unsubscribe`")]


class Addresses(BaseModel):
    """Whom it is about."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    emails: Annotated[list[Annotated[str, Field(max_length=320)]], Field(min_length=1, max_length=MOST)]


type Emails = list[str]


class Suppressed(BaseModel):
    """A list, and which of the addresses that were asked for are on it, as they were given."""

    list: str
    suppressed: Emails


class Changed(BaseModel):
    """A list, and of how many addresses it is sure."""

    list: str
    addresses: int


@router.post("/check", responses={503: {}})
async def check(name: ListName, asked: Addresses, gateway: Served) -> Suppressed:
    """Which of these addresses are on the list, by whatever was acknowledged before."""
    who = _who(name, asked)
    try:
        found = await gateway.suppressions.among(who)
    except TimeoutError as error:
        raise _away("Kafka does not say who is on the list. Repeat it.") from error
    return Suppressed(list=name, suppressed=[given for given, each in zip(asked.emails, who, strict=True)
                                             if each in found])


@router.post("/add", responses={503: {}})
async def add(name: ListName, asked: Addresses, gateway: Served) -> Changed:
    """Put addresses on the list: they get no mail of it any more, of runs that go on either.

    Answers when Kafka has them for sure; may be repeated.
    """
    who = _who(name, asked)
    try:
        await gateway.suppressions.leave(who, "api")
    except BrokerAwayError as error:
        raise _away("Kafka does not acknowledge. Some may be on the list all the same: repeat it.") from error
    return Changed(list=name, addresses=len(who))


@router.post("/remove", responses={503: {}})
async def remove(name: ListName, asked: Addresses, gateway: Served) -> Changed:
    """Take addresses off the list, whoever put them on it. For people who ask for it, and for mistakes.

    Answers when Kafka has it for sure; may be repeated.
    """
    who = _who(name, asked)
    try:
        await gateway.suppressions.come_back(who, "api")
    except BrokerAwayError as error:
        raise _away("Kafka does not acknowledge. Some may be off the list all the same: repeat it.") from error
    return Changed(list=name, addresses=len(who))


def _who(name: str, asked: Addresses) -> list[Subscription]:
    """Each of them; the first that is no address has the request refused, by its place and not by its text."""
    who = []
    for place, given in enumerate(asked.emails):
        address = canonical_address(given)
        if address is None:
            raise HTTPException(422, f"emails[{place}] is no e-mail address: nothing was changed.")
        who.append(Subscription(name, address, ""))
    return who


def _away(reason: str) -> HTTPException:
    return HTTPException(503, reason, headers={"Retry-After": "2"})
