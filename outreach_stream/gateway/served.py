"""How a route gets at the gateway behind the application."""

from typing import Annotated

from fastapi import Depends, Request

from outreach_stream.gateway.service import Gateway


def served(request: Request) -> Gateway:
    """The gateway behind the application."""
    gateway: Gateway = request.app.state.gateway
    return gateway


Served = Annotated[Gateway, Depends(served)]
