"""A mail as a recipient would get it, to be looked at: composed as a sender composes it, and handed to nobody."""

import time
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Any, NamedTuple

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.message import Mail, Mailbox
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.recipients.unsubscribing import SHORTEST_KEY, Links
from outreach_stream.rendering.composer import SpecComposer
from outreach_stream.rendering.failures import TemplateErrors


class Reader(NamedTuple):
    """Who would read it."""

    email: str
    name: str
    variables: Mapping[str, Any]
    """Of the recipient's row; they go before the run's parameters."""


class Proof:
    """Composes the mails of one frozen workflow, to be looked at. Serves one thread."""

    def __init__(self, spec: WorkflowSpec, parameters: Mapping[str, Any], links: Links | None = None) -> None:
        """`parameters`: those of the run, completed by defaults. Raises `Unrenderable` if the template is wrong."""
        self._parameters = parameters
        try:
            self._composer = SpecComposer(spec, links)
        except TemplateErrors as errors:
            raise Unrenderable(str(errors)) from errors

    def missing(self, reader: Reader) -> list[str]:
        """A sentence for each variable that neither the reader's row nor the parameters bring: such a run fails."""
        return self._composer.template.check(list(reader.variables), list(self._parameters))

    def mail(self, reader: Reader) -> Mail:
        """The reader's mail; raises `Unrenderable`, which names all variables that are missing."""
        if missing := self.missing(reader):
            raise Unrenderable("; ".join(missing))
        now = time.time()
        return self._composer.compose(SendRequested(
            run_id="preview", chunk=0, index=0, email=reader.email, name=reader.name or None, spec="", engine="",
            variables={**self._parameters, **reader.variables}, deadline=now), now).mail


def sample_links(public_url: str | None) -> Links | None:
    """Links that look like those of a mail and unsubscribe nobody: whoever looks at a mail may follow one."""
    return Links(public_url, [token_urlsafe(SHORTEST_KEY)]) if public_url else None


def headers_of(mail: Mail) -> dict[str, str]:
    """What stands above the mail, as its reader sees it: in any script, not encoded."""
    addressed = [("From", mail.sender), ("To", mail.to), *([("Reply-To", mail.reply_to)] if mail.reply_to else [])]
    return {**{name: _shown(who) for name, who in addressed}, **dict(mail.headers)}


def _shown(who: Mailbox) -> str:
    return f"{who.name} <{who.email}>" if who.name else who.email
