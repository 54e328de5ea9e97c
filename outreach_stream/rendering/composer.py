"""From a request to the message on the wire, for the mails of one frozen workflow."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from pydantic import ValidationError

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import message_id
from outreach_stream.domain.message import Mailbox, OutgoingMessage
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief, Unrenderable
from outreach_stream.recipients.unsubscribing import NOT_SET_UP, Links
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.mime import skeleton_of
from outreach_stream.rendering.templates import compile_spec


class SpecComposer:
    """Composes the mails of one spec: its template compiled and its skeleton made once."""

    def __init__(self, spec: WorkflowSpec, links: Links | None = None) -> None:
        """Raises `TemplateErrors`, also for a workflow that needs `links` where there are none."""
        self._links, self._list = links, spec.workflow.unsubscribe
        if self._list is not None and links is None:
            raise TemplateErrors(spec.template.id, [("unsubscribe_url", NOT_SET_UP)])
        self.template, self._skeleton = compile_spec(spec), skeleton_of(spec)
        self._sender = spec.workflow.sender.email
        self._domain = self._sender.rpartition("@")[2]

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        """The request's mail, dated `now` (seconds since the epoch); raises `Unrenderable`."""
        try:
            rendered = self.template.render(request, link=self._link(request))
            mail = self._skeleton.mail(Mailbox(request.email, request.name or ""), rendered)
        except RenderError as error:
            raise Unrenderable(f"template: {error}") from error
        identity = message_id(request.run_id, request.chunk, request.index, self._domain)
        write = partial(self._skeleton.write, mail, message_id=identity, second=int(now))
        return OutgoingMessage(identity, self._sender, request.email, mail, write)

    def _link(self, request: SendRequested) -> str | None:
        """By which the recipient unsubscribes; None: the workflow has no list of ours."""
        if self._links is None or self._list is None:
            return None
        return self._links.url(self._list, request.email, request.run_id)


class BrokenSpec:
    """Stands in for a spec that cannot be read or compiled here: each of its mails fails, and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:  # noqa: ARG002
        """Raises `Unrenderable`."""
        raise Unrenderable(self._reason)


CACHED_SPECS = 64


class Briefs:
    """What a sender needs to know of frozen workflows, by digest of their spec; the recently used ones are kept."""

    def __init__(self, read: Callable[[str], Awaitable[bytes]], links: Links | None = None) -> None:
        """`read` gives a spec's bytes by digest, and waits a while for one that has not been seen yet (`SpecAway`).

        Without `links` the mails of a workflow that needs them fail: none goes out that cannot be answered so.
        """
        self._read, self._links = read, links
        self._kept: OrderedDict[str, Brief] = OrderedDict()

    async def get(self, digest: str) -> Brief:
        """The brief of a spec; a broken one has a composer whose mails fail. Raises `SpecAway`."""
        brief = self._kept.get(digest)
        if brief is None:
            data = await self._read(digest)
            # Whoever else waited for it may have made the brief meanwhile: with files that takes a while.
            brief = self._kept[digest] = self._kept.get(digest) or _brief(data, self._links)
            while len(self._kept) > CACHED_SPECS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(digest)
        return brief


def _brief(data: bytes, links: Links | None) -> Brief:
    policy = Policy()
    try:
        spec = WorkflowSpec.read(data)
        policy = spec.policy
        if policy.unsubscribe is not None and links is None:
            return Brief(BrokenSpec(NOT_SET_UP), policy)
        return Brief(SpecComposer(spec, links), policy)
    except (ValidationError, TemplateErrors) as error:
        return Brief(BrokenSpec(f"spec: {type(error).__name__}"), policy)
