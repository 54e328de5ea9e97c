"""The stand-in of Mailgun's API v3: `messages` and `messages.mime`.

Fields and their limits: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages and
https://documentation.mailgun.com/en/latest/api-sending.html; statuses:
https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses. What the pages leave open is as it was seen:
`django-anymail`'s tests (tests/test_mailgun_backend.py) keep replies as they came.
"""

import re
from base64 import b64encode

from outreach_stream.inbox.providers.forms import MalformedForm, fields
from outreach_stream.inbox.providers.mailgun_form import Form
from outreach_stream.inbox.providers.provider import Asked, Letter, Reply
from outreach_stream.inbox.rules import Behaviour

_SEND = re.compile(r"/v3/([^/]+)/(messages|messages\.mime)")
_DOMAIN = re.compile(r"/v[34]/domains/([^/]+)")


def told(status: int, message: str, **headers: str) -> Reply:
    """"Will typically contain a JSON response with a "message" key"."""
    return Reply.json(status, {"message": message}, **headers)


# Both as people were told them: github.com/theoomoregbee/US-visa-appointment-notifier, issue 5, and the notes of those
# who set Mailgun up.
_SANDBOX = ("Domain {domain} is not allowed to send: Sandbox subdomains are for test purposes only. Please add your "
            "own domain or add the address to authorized recipients in Account Settings.")
_INACTIVE = ("Domain {domain} is not allowed to send: Please activate your Mailgun account. Check your inbox or log in "
             "to your control panel to resend the activation email.")

_REFUSALS = {
    # As anymail's tests keep it; also github.com/mailgun/mailgun-js-boland, issue 199.
    Behaviour.REFUSE: (400, "'to' parameter is not a valid address. please check documentation"),
    Behaviour.REJECT: (400, "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"),
    Behaviour.BUSY: (500, "Internal Server Error"),
    Behaviour.SHUTDOWN: (503, "Service Unavailable"),
    Behaviour.BLOCK: (403, _SANDBOX),
    Behaviour.STOP: (403, _INACTIVE),
    Behaviour.HUGE: (413, "Message size exceeds the maximum of 25MB"),
}


class Mailgun:
    """See `outreach_stream.inbox.providers.provider.Provider`."""

    max_size = 25_000_000
    """"Mailgun supports maximum messages size of 25MB"."""

    def __init__(self, domain: str = "mg.example.com", key: str = "key-made-up") -> None:
        self._domain = domain
        self._authorization = "Basic " + b64encode(f"api:{key}".encode()).decode()

    def read(self, asked: Asked) -> Letter | Reply:
        """What is no endpoint is greeted: 200, and nothing is sent (anymail/backends/mailgun.py)."""
        sending, asking = _SEND.fullmatch(asked.target), _DOMAIN.fullmatch(asked.target)
        domain = sending[1] if sending else asking[1] if asking else None
        if domain is None:
            return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, b"Mailgun Magnificent API")
        if asked.headers.get("authorization") != self._authorization:
            return self.unauthorized()
        if domain != self._domain:
            return told(404, f"Domain not found: {domain}")
        if not sending:
            return Reply.json(200, {"domain": {"name": domain, "state": "active", "is_disabled": False}})
        return _letter(asked, mime=sending[2] == "messages.mime")

    def accepted(self, _letter: Letter, number: int) -> Reply:
        """200 with the message's id; in test mode too."""
        return Reply.json(200, {"id": f"<stand-in.{number:012x}@{self._domain}>", "message": "Queued. Thank you."})

    def refused(self, behaviour: Behaviour, wait: float | None, _now: float) -> Reply:
        """"Please retry these requests as defined in the response": in seconds (RFC 9110 section 10.2.3)."""
        if behaviour is Behaviour.THROTTLE:
            return told(429, "Too many requests", **({} if wait is None else {"Retry_After": str(round(wait))}))
        status, message = _REFUSALS[behaviour]
        return told(status, message.format(domain=self._domain))

    def unauthorized(self) -> Reply:
        """401 with a word that is no JSON."""
        return Reply(401, {"Content-Type": "text/plain", "WWW-Authenticate": 'Basic realm="MG API"'}, b"Forbidden")


def _letter(asked: Asked, *, mime: bool) -> Letter | Reply:
    if asked.method != "POST":
        return told(405, "Method not allowed")
    try:
        form = Form(fields(asked.headers.get("content-type", ""), asked.body))
        form.check(mime=mime, multipart=asked.media_type == "multipart/form-data")
        return form.letter(asked.now)
    except MalformedForm as error:
        return told(400, str(error))


STAND_IN = Mailgun
