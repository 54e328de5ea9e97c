"""Through what the demo sends: a relay, or a provider's API; on this machine the inbox is either."""

from enum import StrEnum
from secrets import token_urlsafe
from typing import NamedTuple


class DemoEngine(StrEnum):
    """Kinds of engines that can be shown."""

    SMTP = "smtp"
    SENDGRID = "sendgrid"
    SES = "ses"
    MAILGUN = "mailgun"

    @property
    def label(self) -> str:
        """As people write it."""
        return {"smtp": "SMTP", "sendgrid": "SendGrid", "ses": "Amazon SES", "mailgun": "Mailgun"}[self]


FILE = "engines/inbox.yaml"
"""Of the catalog; the example's workflow sends through the engine of that name."""

PORT, URL, SECRET = "OUTREACH_DEMO_SMTP_PORT", "OUTREACH_DEMO_URL", "OUTREACH_DEMO_SECRET"

_API = f"""# The demo's provider: a stand-in of its API on this machine. Without `base_url` it would be the real one.
kind: {{kind}}
base_url: env:{URL}
{{own}}
rate: 200          # mails per second, over all workers
concurrency: 10
"""

_OWN = {
    DemoEngine.SENDGRID: ("apikey", f"api_key: env:{SECRET}"),
    DemoEngine.SES: ("AKIADEMO", f"region: eu-central-1\naccess_key_id: AKIADEMO\nsecret_access_key: env:{SECRET}"),
    DemoEngine.MAILGUN: ("hazel.example.com", f"domain: hazel.example.com\napi_key: env:{SECRET}"),
}
"""The name beside the secret, as the inbox wants to be told it, and the engine's fields of its own."""


class Through(NamedTuple):
    """What differs from engine to engine."""

    engine_file: str | None
    """The catalog's file; None: the example's own is the right one."""
    env: dict[str, str]
    """What that file refers to."""
    inbox: tuple[str, ...]
    """Arguments that make the inbox the other side of it."""


def through(engine: DemoEngine, port: int) -> Through:
    """How mails go to the inbox at `port`; each call makes up a new secret."""
    if engine is DemoEngine.SMTP:
        return Through(None, {PORT: str(port)}, ())
    name, own = _OWN[engine]
    secret = token_urlsafe()
    return Through(_API.format(kind=engine.value, own=own), {URL: f"http://127.0.0.1:{port}", SECRET: secret},
                   ("--provider", engine.value, "--auth", f"{name}:{secret}"))
