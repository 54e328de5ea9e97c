"""The stand-in of Amazon SES's API v2: `SendEmail` and `GetAccount`.

What a request may say is read from botocore's description of the service (sesv2, 2019-09-27), which AWS generates from
its own; so are the errors and their statuses: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html.
Errors of every AWS service: https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html.
"""

import base64
import re
from typing import Any

import orjson

from outreach_stream.inbox.providers.addresses import bare, valid
from outreach_stream.inbox.providers.provider import Asked, Letter, Reply
from outreach_stream.inbox.providers.ses_shape import Invalid, validate
from outreach_stream.inbox.providers.sigv4 import Unsigned, verify
from outreach_stream.inbox.providers.written import Part, written
from outreach_stream.inbox.rules import Behaviour

_TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_RECIPIENTS = 50
"""Of one message: https://docs.aws.amazon.com/ses/latest/dg/quotas.html."""
_LINE = 1_000
"""Octets of a line of a raw message, its CRLF included."""


def fault(status: int, code: str, message: str) -> Reply:
    """REST-JSON has the error's name in a header, its words in the body."""
    return Reply.json(status, {"message": message}, x_amzn_ErrorType=code)


_REFUSALS = {
    # SES accepts mail for boxes that do not exist, and reports bounces later; what it refuses is the form.
    Behaviour.REFUSE: fault(400, "BadRequestException", "Missing final '@domain'"),
    Behaviour.REJECT: fault(400, "MessageRejected", "Invalid content: this is no mail for us."),
    Behaviour.BUSY: fault(500, "InternalFailure", "The request processing has failed because of an unknown error, "
                          "exception or failure."),
    Behaviour.SHUTDOWN: fault(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the "
                              "server."),
    Behaviour.BLOCK: fault(400, "SendingPausedException", "Sending paused for this account. For more information, "
                           "please check the inbox of the email address associated with your AWS account."),
    Behaviour.STOP: fault(400, "AccountSuspendedException", "The message can't be sent because the account's ability "
                          "to send email has been permanently restricted."),
    # It has no time to tell: https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html.
    Behaviour.THROTTLE: fault(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    Behaviour.HUGE: fault(400, "BadRequestException", "Message length is more than 41943040 bytes long."),
}


class Ses:
    """See `outreach_stream.inbox.providers.provider.Provider`."""

    max_size = 41_943_040
    """"The maximum message size (including attachments) is 40 MB after base64 encoding"."""

    def __init__(self, key_id: str = "AKIAMADEUP", secret: str = "made-up-secret", *,  # noqa: S107 - known to all
                 rate: float = 1_000.0, daily: float = -1.0) -> None:
        """`rate` and `daily`: the account's quota, as `GetAccount` tells it; -1: a day has no limit."""
        self._key_id, self._secret = key_id, secret
        self._quota = {"Max24HourSend": daily, "MaxSendRate": rate, "SentLast24Hours": 0.0}

    def read(self, asked: Asked) -> Letter | Reply:
        """The signature first."""
        try:
            verify(asked, key_id=self._key_id, secret=self._secret, service="ses")
        except Unsigned as error:
            return fault(403, error.code, str(error))
        match asked.method, asked.path:
            case "POST", "/v2/email/outbound-emails":
                pass
            case "GET", "/v2/email/account":
                return Reply.json(200, {"ProductionAccessEnabled": True, "SendingEnabled": True,
                                        "EnforcementStatus": "HEALTHY", "SendQuota": self._quota})
            case "GET", path if path.startswith("/v2/email/identities/"):
                return Reply.json(200, {"IdentityType": "DOMAIN", "VerifiedForSendingStatus": True,
                                        "VerificationStatus": "SUCCESS"})
            case _:
                return fault(404, "UnknownOperationException", "")
        try:
            request = orjson.loads(asked.body)
            validate(request)
            return _letter(request, asked.now)
        except (Invalid, orjson.JSONDecodeError) as error:
            return fault(400, "BadRequestException", str(error))

    def accepted(self, _letter: Letter, number: int) -> Reply:
        """200 and an id that looks like SES's."""
        return Reply.json(200, {"MessageId": f"0100stand-in{number:012x}-000000"})

    def refused(self, behaviour: Behaviour, _wait: float | None, _now: float) -> Reply:
        """By the error's name."""
        return _REFUSALS[behaviour]

    def unauthorized(self) -> Reply:
        """What an unknown access key gets."""
        return fault(403, "UnrecognizedClientException", "The security token included in the request is invalid.")


STAND_IN = Ses


def _letter(request: dict[str, Any], now: float) -> Letter:
    told = request.get("Destination", {})
    to = [each for field in ("ToAddresses", "CcAddresses", "BccAddresses") for each in told.get(field, [])]
    # https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html: no SMTPUTF8, names as RFC 2047 says.
    if not all(each.isascii() for each in (*to, request.get("FromEmailAddress", ""))):
        raise Invalid("Local address contains control or whitespace")
    recipients = bare(to)
    if len(recipients) > _RECIPIENTS:
        raise Invalid("Recipient count exceeds 50.")
    kinds = [name for name in ("Simple", "Raw", "Template") if name in request["Content"]]
    if len(kinds) != 1 or kinds == ["Template"]:
        raise Invalid("Exactly one of Simple and Raw is understood here.")
    raw = base64.b64decode(request["Content"]["Raw"]["Data"]) if kinds == ["Raw"] else None
    if raw is not None:
        _check_raw(raw)
    sender = bare([request.get("FromEmailAddress", "")])
    for email in (*sender, *recipients):
        if not valid(email):
            raise Invalid("Missing final '@domain'")
    if not sender or not recipients:
        raise Invalid("Sender and recipients must be specified.")
    for tag in request.get("EmailTags", []):
        if not _TAG.fullmatch(tag["Name"]) or not _TAG.fullmatch(tag["Value"]):
            raise Invalid("Tag names and values are letters, numbers, '_', '-', '.' and '@', 256 characters at most.")
    return Letter(sender[0], tuple(recipients), raw or _written(request, now), facts={"request": request})


def _check_raw(message: bytes) -> None:
    """A header and a body with a blank line between, the required fields, no line over 1,000 octets."""
    head, blank, _ = message.partition(b"\r\n\r\n")
    if not blank or not re.search(rb"^from:", head, re.IGNORECASE | re.MULTILINE):
        raise Invalid("Missing required header 'From'.")
    if any(len(line) > _LINE for line in message.splitlines(keepends=True)):
        raise Invalid("A line of the message is longer than 1000 octets.")


def _written(request: dict[str, Any], now: float) -> bytes:
    simple = request["Content"]["Simple"]
    headers = [("From", request["FromEmailAddress"]), ("To", ", ".join(request["Destination"].get("ToAddresses", []))),
               ("Subject", simple["Subject"]["Data"])]
    headers += [("Reply-To", each) for each in request.get("ReplyToAddresses", [])]
    headers += [(each["Name"], each["Value"]) for each in simple.get("Headers", [])]
    bodies = [Part(f"text/{kind}", simple["Body"][name]["Data"].encode()) for name, kind in
              (("Text", "plain"), ("Html", "html")) if name in simple["Body"]]
    files = [Part(each.get("ContentType", "application/octet-stream"), base64.b64decode(each["RawContent"]),
                  each["FileName"], each.get("ContentId")) for each in simple.get("Attachments", [])]
    return written(headers, bodies, files, now)
