"""Whether a request bears a valid AWS Signature Version 4.

By https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, step by step, and by
nothing else: the engines sign with botocore, so botocore does not judge here.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from outreach_stream.inbox.providers.provider import Asked

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})")
_TOLERANCE = 15 * 60
"""Seconds by which clocks may differ."""


class Unsigned(Exception):  # noqa: N818 - it says what the request is
    """The request is not signed as it must be. `code`: AWS's word for it; its text, AWS's explanation."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def verify(asked: Asked, *, key_id: str, secret: str, service: str) -> str:
    """Returns the region that it is signed for; raises `Unsigned`."""
    authorization = asked.headers.get("authorization")
    if authorization is None:
        raise Unsigned("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(authorization)
    stamp = asked.headers.get("x-amz-date", "")
    if not found or not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not stamp.startswith(found[2]):
        raise Unsigned("IncompleteSignatureException", "The request signature does not conform to AWS standards.")
    claimed, day, region, told_service, names, signature = found.groups()
    if claimed != key_id:
        raise Unsigned("UnrecognizedClientException", "The security token included in the request is invalid.")
    if told_service != service:
        raise Unsigned("InvalidSignatureException", f"Credential should be scoped to correct service: '{service}'.")
    signed = names.split(";")
    if "host" not in signed or "x-amz-date" not in signed or signed != sorted(set(signed)):
        raise Unsigned("InvalidSignatureException", "'Host' and 'X-Amz-Date' must be 'SignedHeaders'.")
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if abs(asked.now - at) > _TOLERANCE:
        raise Unsigned("InvalidSignatureException", "Signature expired or not yet current: look at the clock.")
    scope = f"{day}/{region}/{told_service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, _hash(canonical(asked, signed).encode())])
    if not hmac.compare_digest(signature, _signature(secret, (day, region, told_service), text)):
        raise Unsigned("InvalidSignatureException", "The request signature we calculated does not match the signature "
                       "you provided. Check your AWS Secret Access Key and signing method.")
    return region


def canonical(asked: Asked, signed: list[str]) -> str:
    """The canonical request: method, path, query, headers, their names, the body's hash."""
    path, _, query = asked.target.partition("?")
    pairs = sorted(tuple(quote(unquote(half), safe="-_.~") for half in pair.partition("=")[::2])
                   for pair in query.split("&") if pair)
    headers = [f"{name}:{' '.join(asked.headers.get(name, '').split())}\n" for name in signed]
    # Every segment of the path is encoded twice, but for S3; our paths hold nothing that the first time changes.
    return "\n".join([asked.method, quote(path, safe="/-_.~"), "&".join("=".join(pair) for pair in pairs),
                      "".join(headers), ";".join(signed), _hash(asked.body)])


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _signature(secret: str, scope: tuple[str, str, str], text: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()
