"""Stand-ins of HTTP providers: `Inbox(provider=stand_in("sendgrid"))` takes mail as SendGrid's API does.

They are written from the providers' documentation, not from what the engines send; each rule and reply has its source
beside it. Like the inbox, they deliver to nobody.
"""

from importlib import import_module

from outreach_stream.inbox.providers.provider import Asked, Letter, Provider, Reply

KINDS = ("mailgun", "sendgrid", "ses")
"""Each is a module of that name here; it is imported when it is asked for: SES's description takes its time."""


def stand_in(kind: str, credentials: tuple[str, str] | None = None) -> Provider:
    """The stand-in of the provider that engines of `kind` speak to.

    `credentials`: `apikey` and the key for SendGrid, domain and key for Mailgun, the two halves of the access key for
    SES; None: made-up ones, which the class of each names.
    """
    made: Provider = import_module(f"{__name__}.{kind}").STAND_IN(*credentials or ())
    return made


__all__ = ["KINDS", "Asked", "Letter", "Provider", "Reply", "stand_in"]
