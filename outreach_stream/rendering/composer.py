"""From a request to the message on the wire, for the mails of one frozen workflow."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import message_id
from outreach_stream.domain.ports import Composer, OutgoingMessage, Unrenderable
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.mime import skeleton_of
from outreach_stream.rendering.templates import compile_spec


class _Addressee(NamedTuple):
    email: str
    name: str
    variables: Mapping[str, Any]


class SpecComposer:
    """Composes the mails of one spec: its template compiled and its skeleton made once."""

    def __init__(self, spec: WorkflowSpec) -> None:
        """Raises `TemplateErrors`."""
        self.template, self._skeleton = compile_spec(spec), skeleton_of(spec)
        self._sender = spec.workflow.sender.email
        self._domain = self._sender.rpartition("@")[2]

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:
        """The request's mail, dated `now` (seconds since the epoch); raises `Unrenderable`."""
        try:
            rendered = self.template.render(_Addressee(request.email, request.name or "", request.variables), {})
            identity = message_id(request.run_id, request.chunk, request.index, self._domain)
            content = self._skeleton.build(request.email, request.name or "", rendered, message_id=identity,
                                           date=datetime.fromtimestamp(now, UTC))
        except RenderError as error:
            raise Unrenderable(f"template: {error}") from error
        return OutgoingMessage(identity, self._sender, request.email, content)


class BrokenSpec:
    """Stands in for a spec that cannot be read or compiled here: each of its mails fails, and says why."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def compose(self, request: SendRequested, now: float) -> OutgoingMessage:  # noqa: ARG002
        """Raises `Unrenderable`."""
        raise Unrenderable(self._reason)


CACHED_SPECS = 64


class Composers:
    """Composers by digest of their spec, the recently used ones kept."""

    def __init__(self, read: Callable[[str], Awaitable[bytes]]) -> None:
        """`read` gives a spec's bytes by digest, and waits for one that has not been seen yet."""
        self._read = read
        self._kept: OrderedDict[str, Composer] = OrderedDict()

    async def get(self, digest: str) -> Composer:
        """The composer of a spec; never raises: a broken spec has one whose mails fail."""
        composer = self._kept.get(digest)
        if composer is None:
            composer = self._kept[digest] = _composer(await self._read(digest))
            while len(self._kept) > CACHED_SPECS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(digest)
        return composer


def _composer(data: bytes) -> Composer:
    try:
        return SpecComposer(WorkflowSpec.read(data))
    except (ValidationError, TemplateErrors) as error:
        return BrokenSpec(f"spec: {type(error).__name__}")
