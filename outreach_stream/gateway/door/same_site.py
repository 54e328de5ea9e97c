"""A gateway that asks nobody for a token must know at least that it is meant, and not by another site's page.

A browser on this machine reaches loopback for every site that is open in it. Two ways lead there: a page posts to
`http://127.0.0.1:8000` (the answer is kept from it, what the request does is done), or its own name is made to resolve
to 127.0.0.1, so that the browser takes us for the page's own server (DNS rebinding). The first is known by `Origin` and
`Sec-Fetch-Site`, which a page cannot forge, the second by the name in `Host`.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing, and another site's page is not shown their answers."""


def host_name(host: str) -> str | None:
    """The name in a `Host` header, or in an origin's place, in lower case; None: there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_ours(host: str, names: Iterable[str]) -> bool:
    """Whether a `Host` header names this gateway: `names`, localhost, or any address as a number.

    A number cannot be rebound: only names are looked up.
    """
    name = host_name(host)
    if not name:
        return False
    if name == "localhost" or name.endswith(".localhost") or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_foreign(method: str, host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a page of another site asks for a change. A program that is no browser sends neither header."""
    if method in SAFE_METHODS:
        return False
    if fetch_site is not None:
        return fetch_site not in {"same-origin", "none"}
    # The scheme does not count: a proxy in front may speak https to the browser and http to us.
    return origin is not None and _place(origin) != host.lower()


def _place(origin: str) -> str | None:
    """Name and port of an origin, as a `Host` header has them; None: it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
