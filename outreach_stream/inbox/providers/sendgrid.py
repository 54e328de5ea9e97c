"""The stand-in of Twilio SendGrid's Web API v3.

Statuses: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors, and the responses of
`POST /v3/mail/send` in github.com/twilio/sendgrid-oai (spec/yaml/tsg_mail_v3.yaml). Rate limits:
https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits.
"""

import base64

from pydantic import ValidationError

from outreach_stream.inbox.providers.provider import Asked, Letter, Reply
from outreach_stream.inbox.providers.sendgrid_body import MailSend, problem
from outreach_stream.inbox.providers.written import Part, mailbox, written
from outreach_stream.inbox.rules import Behaviour

_HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html"


def errors(status: int, message: str, field: str | None = None, **headers: str) -> Reply:
    """A refusal: `{"errors": [{"message", "field", "help"}]}`."""
    return Reply.json(status, {"errors": [{"message": message, "field": field, "help": _HELP if field else None}]},
                      **headers)


_REFUSALS = {
    Behaviour.REFUSE: errors(400, "Does not contain a valid address.", "personalizations.0.to.0.email"),
    Behaviour.REJECT: errors(400, "The content value must be a string at least one character in length.",
                             "content.0.value"),
    Behaviour.BUSY: errors(500, "internal server error"),
    Behaviour.SHUTDOWN: errors(503, "service not available"),
    # 403: "Too many bad requests. Temporary block".
    Behaviour.BLOCK: errors(403, "access forbidden"),
    # It says 401 of an account without credits: https://support.sendgrid.com, "4XX API Errors and Troubleshooting".
    Behaviour.STOP: errors(401, "Maximum credits exceeded"),
    Behaviour.HUGE: errors(413, "content too large"),
}

_NO_SCOPE = errors(403, "access forbidden")
_QUESTIONS = {
    ("GET", "/v3/scopes"): Reply.json(200, {"scopes": ["mail.send"]}),
    **dict.fromkeys((("GET", "/v3/user/credits"), ("GET", "/v3/whitelabel/domains"), ("GET", "/v3/verified_senders")),
                    _NO_SCOPE),
}
"""What a key is told that may send and nothing else: https://www.twilio.com/docs/sendgrid/api-reference/
api-key-permissions."""


class SendGrid:
    """See `outreach_stream.inbox.providers.provider.Provider`."""

    max_size = 30_000_000
    """"The total size of your email, including attachments, must be less than 30MB": the Mail Send overview."""

    def __init__(self, _user: str = "apikey", key: str = "SG.made-up.key") -> None:
        """`_user`: always `apikey`, as in SendGrid's SMTP; the API has no names."""
        self._key = key

    def read(self, asked: Asked) -> Letter | Reply:
        """Headers first, then the body."""
        if asked.headers.get("authorization") != f"Bearer {self._key}":
            return self.unauthorized() if "authorization" in asked.headers else errors(401, "authorization required")
        if "accept" not in asked.headers:
            return errors(406, "Missing Accept header. For example: Accept: application/json")
        if asked.target == "/v3/mail/send":
            return self._read_mail(asked) if asked.method == "POST" else errors(405, "method not allowed")
        return _QUESTIONS.get((asked.method, asked.path), errors(404, "not found"))

    def _read_mail(self, asked: Asked) -> Letter | Reply:
        if asked.media_type != "application/json":
            return errors(415, "Content-Type should be application/json.")
        try:
            mail = MailSend.model_validate_json(asked.body)
        except ValidationError as error:
            if error.errors()[0]["type"] == "json_invalid":
                return errors(400, "Bad Request")
            return errors(400, *problem(error))
        recipients = [each.email for one in mail.personalizations for each in (*one.to, *one.cc, *one.bcc)]
        if len(recipients) > 1_000:  # noqa: PLR2004 - documented
            return errors(400, "There is a limit of 1000 total recipients (to + cc + bcc) per request.",
                          "personalizations")
        sandbox = mail.mail_settings and mail.mail_settings.sandbox_mode
        return Letter(mail.from_.email, tuple(recipients), _message(mail, asked.now),
                      rehearsal=bool(sandbox and sandbox.enable), facts={"request": mail})

    def accepted(self, letter: Letter, number: int) -> Reply:
        """202 with an id; 200 in sandbox mode: "Your message is valid, but it is not queued to be delivered"."""
        if letter.rehearsal:
            return Reply(200, {})
        return Reply(202, {"X-Message-Id": f"stand-in-{number:012x}"})

    def refused(self, behaviour: Behaviour, wait: float | None, now: float) -> Reply:
        """429 with the three documented headers: the reset is a moment, in seconds since the epoch."""
        if behaviour is not Behaviour.THROTTLE:
            return _REFUSALS[behaviour]
        if wait is None:
            return errors(429, "too many requests")
        return errors(429, "too many requests", X_RateLimit_Limit="150", X_RateLimit_Remaining="0",
                      X_RateLimit_Reset=str(round(now + wait)))

    def unauthorized(self) -> Reply:
        """401, whatever is wrong with the key."""
        return errors(401, "The provided authorization grant is invalid, expired, or revoked")


STAND_IN = SendGrid


def _message(mail: MailSend, now: float) -> bytes:
    """The message that SendGrid would write for the first envelope."""
    envelope = mail.personalizations[0]
    to = ", ".join(mailbox(each.email, each.name) for each in envelope.to)
    headers = [("From", mailbox(mail.from_.email, mail.from_.name)), ("To", to),
               ("Subject", envelope.subject or mail.subject or "")]
    if mail.reply_to:
        headers.append(("Reply-To", mailbox(mail.reply_to.email, mail.reply_to.name)))
    headers += (mail.headers | envelope.headers).items()
    bodies = [Part(each.type, each.value.encode()) for each in mail.content]
    files = [Part(each.type or "application/octet-stream", base64.b64decode(each.content), each.filename,
                  each.content_id if each.disposition == "inline" else None) for each in mail.attachments]
    return written(headers, bodies, files, now)
