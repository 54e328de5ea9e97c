"""`/api/v1/me`: what the caller may do."""

from fastapi import APIRouter
from pydantic import BaseModel

from outreach_stream.gateway.door.caller import caller
from outreach_stream.gateway.door.tokens import SCOPES, Scope

router = APIRouter()


class Me(BaseModel):
    """Whose token it is."""

    name: str | None
    """null: this gateway asks for no tokens."""
    scopes: list[Scope]


@router.get("/api/v1/me")
async def me() -> Me:
    """Whose token this is, and what may be done with it."""
    found = caller.get()
    return Me(name=found.name, scopes=[scope for scope in SCOPES if scope in found.scopes])
