"""Logging in: one method, one try. aiosmtplib's own login() tries them all, and servers lock out after a few."""

from collections.abc import Callable, Coroutine
from typing import Any, Literal

import aiosmtplib

from outreach_stream.engines.failures import MisconfiguredEngine

type Method = Literal["plain", "login", "xoauth2"]

_ASK: dict[Method, Callable[[aiosmtplib.SMTP, str, str], Coroutine[Any, Any, object]]] = {
    "plain": lambda client, name, secret: client.auth_plain(name, secret),
    "login": lambda client, name, secret: client.auth_login(name, secret),
    # A refusal comes as 334 with a JSON text, and as 535 after an empty line (developers.google.com/workspace/gmail/
    # imap/xoauth2-protocol, "Error response"); aiosmtplib answers so and raises the 535.
    "xoauth2": lambda client, name, secret: client.auth_xoauth2(name, secret),
}


async def log_in(client: aiosmtplib.SMTP, auth: Method | Literal["auto"], username: str, secret: str) -> None:
    """Authenticate on a connection that has said EHLO; the secret is the password, or the access token of XOAUTH2.

    Raises `MisconfiguredEngine` when the server does not offer the method, and what aiosmtplib raises.
    """
    await _ASK[method(auth, client.server_auth_methods)](client, username, secret)


def method(auth: Method | Literal["auto"], offered: list[str]) -> Method:
    """The method to use; raises `MisconfiguredEngine` when there is none."""
    if not offered:
        raise MisconfiguredEngine("the server offers no login here: leave username out, or use its other port")
    wanted: tuple[Method, ...] = ("plain", "login") if auth == "auto" else (auth,)
    for each in wanted:
        if each in offered:
            return each
    # Without what it offers a person would have to guess; of a server's words only short plain ones are repeated.
    names = ", ".join(name.upper() for name in offered if name.isalnum() or "-" in name)[:100]
    raise MisconfiguredEngine(f"the server does not offer AUTH {' or '.join(wanted).upper()}, but {names}: set auth")
