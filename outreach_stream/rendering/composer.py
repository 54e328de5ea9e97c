"""From a request to the message on the wire, for the mails of one frozen workflow."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from pydantic import ValidationError

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import message_id
from outreach_stream.domain.message import Mail, Mailbox, OutgoingMessage
from outreach_stream.domain.policy import Policy
from outreach_stream.domain.ports import Brief, Unrenderable
from outreach_stream.recipients.unsubscribing import NOT_SET_UP, Links
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.mime import skeleton_of
from outreach_stream.rendering.templates import Rendered, compile_spec


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
        self._asked: dict[str, bool] = {}
        """By engine: whether it asked for 8-bit bodies last. One that writes its own messages never asks."""

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        """The request's mail, dated `now` (seconds since the epoch); raises `Unrenderable`."""
        [made] = self.compose_all((request,), now)
        if isinstance(made, Unrenderable):
            raise made
        return made

    def compose_all(self, requests: Sequence[SendRequested], now: float) -> list[OutgoingMessage | Unrenderable]:
        """The mails of several requests, in their order; see `outreach_stream.domain.ports.Composer`.

        A mail of an engine that has asked for a message before is written at once, in the form that was asked for. Not
        so one that carries files: its bytes are many, and would lie in memory until its turn comes.
        """
        rendered = self.template.render_all(requests, [self._link(request) for request in requests])
        mails = [self._mail(request, made) for request, made in zip(requests, rendered, strict=True)]
        second = int(now)
        return [mail if isinstance(mail, Unrenderable) else self._message(request, mail, second)
                for request, mail in zip(requests, mails, strict=True)]

    def _mail(self, request: SendRequested, rendered: Rendered | RenderError) -> Mail | Unrenderable:
        try:
            if isinstance(rendered, Rendered):
                return self._skeleton.mail(Mailbox(request.email, request.name or ""), rendered)
        except RenderError as error:
            rendered = error
        return Unrenderable(f"template: {rendered}")

    def _message(self, request: SendRequested, mail: Mail, second: int) -> OutgoingMessage:
        identity = message_id(request.run_id, request.chunk, request.index, self._domain)
        form = None if mail.files else self._asked.get(request.engine)
        ahead = None if form is None else self._skeleton.write(mail, message_id=identity, second=second, eight_bit=form)
        write = partial(self._written, mail, identity, second, request.engine, form, ahead)
        return OutgoingMessage(identity, self._sender, request.email, mail, write)

    def _written(self, mail: Mail, identity: str, second: int, engine: str, form: bool | None,
                 ahead: bytes | None, *, eight_bit: bool, smtputf8: bool) -> bytes:
        self._asked[engine] = eight_bit
        if ahead is not None and eight_bit is form:
            return ahead
        return self._skeleton.write(mail, message_id=identity, second=second, eight_bit=eight_bit, smtputf8=smtputf8)

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

    def compose_all(self, requests: Sequence[SendRequested], now: float) -> list[OutgoingMessage | Unrenderable]:  # noqa: ARG002
        """An `Unrenderable` for each."""
        return [Unrenderable(self._reason) for _ in requests]


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
