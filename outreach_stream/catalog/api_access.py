"""How a catalog's API is reached: one client, and the token read anew for each request."""

import httpx

from outreach_stream.values import SecretRef, UnresolvedReference


class NoTokenError(Exception):
    """The token's reference leads to nothing that can be sent; the message says which."""


class Access:
    """The API at `url`, for those who ask it."""

    def __init__(self, url: str, token: SecretRef | None, timeout: float) -> None:
        """`timeout`: seconds for a connection, and for each part of a request and of its answer."""
        self.url, self._token = url, token
        # A proxy would be told a token of this machine's own server in clear, so it is asked for https only.
        self.client = httpx.Client(timeout=timeout, trust_env=url.startswith("https:"), follow_redirects=False,
                                   headers={"Accept": "application/json", "User-Agent": "outreach-stream"})

    def headers(self) -> dict[str, str]:
        """What authorizes a request; raises `NoTokenError`. Blocks while it reads a file."""
        if self._token is None:
            return {}
        try:
            token = self._token.resolve()
        except UnresolvedReference as error:
            raise NoTokenError(f"OUTREACH_CATALOG_TOKEN: {error}") from error
        if not token.isascii() or not token.isprintable() or " " in token:
            raise NoTokenError("OUTREACH_CATALOG_TOKEN: what it refers to is no bearer token")
        return {"Authorization": f"Bearer {token}"}
