"""AWS's signature, version 4, written by botocore; and the keys for it, read where nobody waits.

Nothing else of botocore is used: its own HTTP and its retries would hide whether a mail was handed over.
"""

import asyncio
import math
from collections.abc import Callable

import structlog
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import (
    Credentials,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as Unreachable
from botocore.session import Session

from outreach_stream.confidential import keep
from outreach_stream.engines.config import looked_up
from outreach_stream.engines.failures import MisconfiguredEngine
from outreach_stream.engines.http_config import Origin
from outreach_stream.engines.http_wire import Request
from outreach_stream.values import SecretRef

log = structlog.get_logger()

LOOK_SECONDS = 60.0
"""After which keys are looked at again, in the background. botocore renews those of a role from 15 minutes before their
end, so that many attempts may fail."""

_AWAY = (CredentialRetrievalError, HTTPClientError, Unreachable, MetadataRetrievalError, RuntimeError)
_LATER = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded", "IDPCommunicationError"})
"""STS says these with a 400: docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#Errors and
CommonErrors.html."""

type ReadKeys = Callable[[], ReadOnlyCredentials]
"""Reads the keys as they are now. Blocks. Raises `UnresolvedReference`, `MisconfiguredEngine`, `ConnectionError`."""


def given(access_key_id: str, secret: SecretRef, token: SecretRef | None) -> ReadKeys:
    """Reads the catalog's."""
    def read() -> ReadOnlyCredentials:
        return ReadOnlyCredentials(looked_up(access_key_id), secret.resolve(), token.resolve() if token else None)
    return read


def found(session: Callable[[], Session] = Session) -> ReadKeys:
    """Reads what botocore finds: environment, files, a web identity, the container's or the machine's role.

    Those that expire are renewed by botocore; the others are looked for anew each time, since they may be replaced.
    """
    role: RefreshableCredentials | None = None

    def read() -> ReadOnlyCredentials:
        nonlocal role
        try:
            keys: Credentials | None = role or session().get_credentials()
            frozen = keys.get_frozen_credentials() if keys else None
        except (BotoCoreError, ClientError, RuntimeError) as error:
            kind = ConnectionError if _passing(error) else MisconfiguredEngine
            raise kind(f"AWS credentials: {error}") from error
        if frozen is None or not frozen.access_key:
            raise MisconfiguredEngine("no AWS credentials are found: give access_key_id and secret_access_key, or "
                                      "what botocore looks for (environment, ~/.aws, a role)")
        role = keys if isinstance(keys, RefreshableCredentials) else None
        keep(frozen.secret_key)
        keep(frozen.token or "")
        return frozen
    return read


def _passing(error: Exception) -> bool:
    """Whether who gives the keys (STS, the machine, a program) could not be asked now; a person need not act."""
    if not isinstance(error, ClientError):
        return isinstance(error, _AWAY)
    told = error.response
    status = told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or told.get("Error", {}).get("Code") in _LATER  # noqa: PLR2004


class Signer:
    """Signs requests with the keys as they were last read; reads them in threads, so that no mail waits for it."""

    def __init__(self, region: str, read: ReadKeys) -> None:
        self._region, self._read = region, read
        self._keys: ReadOnlyCredentials | None = None
        self._origin: Origin | None = None
        self._read_at = -math.inf
        self._reading = asyncio.Lock()
        self._look: asyncio.Task[None] | None = None

    async def prepare(self, origin: Origin) -> None:
        """Read the keys, for requests to `origin`. Raises what `ReadKeys` does. Those who ask at once read once."""
        asked, self._origin = asyncio.get_running_loop().time(), origin
        async with self._reading:
            if self._read_at < asked:
                began = asyncio.get_running_loop().time()
                self._keys = await asyncio.to_thread(self._read)
                self._read_at = began

    def sign(self, request: Request) -> Request:
        """The request with the headers that sign it. After `prepare`; does not wait."""
        assert self._origin is not None, "`prepare` comes first"
        self._look_ahead()
        return signed(request, self._origin, self._region, self._keys)

    def _look_ahead(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._read_at > LOOK_SECONDS and (self._look is None or self._look.done()):
            self._look = loop.create_task(self._look_again())

    async def _look_again(self) -> None:
        assert self._origin is not None
        try:
            await self.prepare(self._origin)
        except Exception as error:  # noqa: BLE001 - the keys at hand may be good for long: SES will say
            self._read_at = asyncio.get_running_loop().time()
            log.warning("ses_credentials_not_renewed", error=type(error).__name__)


def signed(request: Request, origin: Origin, region: str, keys: ReadOnlyCredentials) -> Request:
    """The request with the headers that sign it now.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    draft = AWSRequest(request.method, origin.url + request.path, {"Host": origin.header, **request.headers},
                       request.body)
    SigV4Auth(keys, "ses", region).add_auth(draft)
    return request._replace(headers=dict(draft.headers.items()))
