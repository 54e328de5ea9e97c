"""A template compiled once for its version, checked before the first mail, and rendered for each recipient."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from jinja2.exceptions import TemplateSyntaxError

from outreach_stream.catalog.models import HTML_ONLY, URL_VARIABLE
from outreach_stream.catalog.spec import WorkflowSpec
from outreach_stream.rendering.failures import RenderError, TemplateErrors
from outreach_stream.rendering.headers import one_line
from outreach_stream.rendering.part import Part
from outreach_stream.rendering.plain import plain_text
from outreach_stream.rendering.sandbox import MailEnvironment

PROVIDED = frozenset({"email", "name"})
"""Variables every recipient has; `name` is empty text when it is not known."""


LONGEST_HEADER = 870
"""Characters of a header's value: as many as SES takes, the fewest of all (API reference of SES v2, MessageHeader)."""

_NONE: Mapping[str, Any] = {}
_HEADER = "headers."


class Addressee(Protocol):
    """Who a mail is rendered for."""

    @property
    def email(self) -> str:
        """The address."""

    @property
    def name(self) -> str | None:
        """None or empty: not known."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """The rest of the recipient's row."""


class Rendered(NamedTuple):
    """The parts of one mail: `subject` is one line, the bodies are as the template made them.

    A text that the template does not have is made from its html.
    """

    subject: str
    text: str | None = None
    html: str | None = None
    unsubscribe: str | None = None
    """Address for List-Unsubscribe; None: the mail has no such header."""
    headers: tuple[tuple[str, str], ...] = ()
    """The workflow's own, one line each, none of them empty."""


class CompiledTemplate:
    """The parts of a template, ready to render. Serves one thread; compile one per thread.

    A variable is looked up in the recipient's row, then in the run's parameters: the row, being more particular,
    wins where both have it. `email` and `name` always are the recipient's.
    """

    def __init__(self, template_id: str, sources: Mapping[str, str | None],
                 provided: frozenset[str] = PROVIDED) -> None:
        """Compile `sources`; raises `TemplateErrors` with all problems. `provided`: variables that all will have.

        They are named subject, text (which may be `HTML_ONLY`), html, list_unsubscribe, and headers.X-Name.
        """
        self.id, self.provided = template_id, provided
        environments = {"html": MailEnvironment(autoescape=True), "list_unsubscribe": MailEnvironment(url=True)}
        plain = MailEnvironment()
        self._parts: dict[str, Part] = {}
        problems: list[tuple[str, str]] = []
        for name, source in sources.items():
            if source is None or (name == "text" and source == HTML_ONLY):
                continue
            try:
                part = Part(template_id, name, source, environments.get(name, plain))
            except TemplateSyntaxError as error:
                problems.append((name, f"line {error.lineno}: {error.message}"))
            except Exception as error:  # noqa: BLE001 - what it computes from constants fails while it is compiled
                problems.append((name, f"cannot be compiled: {type(error).__name__}"))
            else:
                problems += [(name, problem) for problem in part.problems]
                self._parts[name] = part
        if problems:
            raise TemplateErrors(template_id, problems)
        self._globals = plain.globals
        self._subject = self._parts["subject"]
        self._text, self._html = self._parts.get("text"), self._parts.get("html")
        self._made_text = sources.get("text") is None
        self._unsubscribe = self._parts.get("list_unsubscribe")
        self._headers = [(name.removeprefix(_HEADER), part) for name, part in self._parts.items()
                         if name.startswith(_HEADER)]

    @property
    def variables(self) -> frozenset[str]:
        """Every variable that a part reads and does not set itself."""
        return frozenset().union(*(part.variables for part in self._parts.values()))

    def check(self, columns: Collection[str], parameters: Collection[str]) -> list[str]:
        """What is missing, a sentence per variable naming the parts that read it; empty: all is there."""
        known = {*columns, *parameters, *self.provided}
        return [
            f"variable {variable!r} (in {', '.join(self._readers(variable))} of template {self.id}) is neither "
            f"a column of the query nor a parameter; there are: {', '.join(sorted(known))}"
            for variable in sorted(self.variables - known)
        ]

    def render(self, recipient: Addressee, parameters: Mapping[str, Any] = _NONE, link: str | None = None) -> Rendered:
        """The recipient's mail; raises `RenderError` naming part, line and variable, and nothing of the recipient.

        `parameters` may be left out where the recipient's variables hold them already. `link`: by which the recipient
        unsubscribes, where that is ours to make.
        """
        [rendered] = self._together([self._values(recipient, parameters, link)], [link])
        return rendered

    def render_all(self, recipients: Sequence[Addressee], links: Sequence[str | None]) -> list[Rendered | RenderError]:
        """What `render` makes of each recipient and link, or raises: part by part, which is faster."""
        given = [self._values(recipient, _NONE, link) for recipient, link in zip(recipients, links, strict=True)]
        try:
            return [*self._together(given, links)]
        except RenderError as error:
            if len(given) == 1:
                return [error]
        return [self._alone(values, link) for values, link in zip(given, links, strict=True)]

    def _values(self, recipient: Addressee, parameters: Mapping[str, Any], link: str | None) -> dict[str, Any]:
        values = {**self._globals, **parameters, **recipient.variables,
                  "email": recipient.email, "name": recipient.name or ""}
        if link is not None:
            values[URL_VARIABLE] = link
        return values

    def _alone(self, values: dict[str, Any], link: str | None) -> Rendered | RenderError:
        try:
            [rendered] = self._together([values], [link])
        except RenderError as error:
            return error
        return rendered

    def _together(self, given: Sequence[dict[str, Any]], links: Sequence[str | None]) -> list[Rendered]:
        """The mails of several recipients; raises `RenderError` if one of them has none."""
        subjects = [*map(one_line, self._subject.render_all(given))]
        if not all(subjects):
            raise RenderError("subject", "is empty", template=self.id)
        nothing = [None] * len(given)
        htmls: Sequence[str | None] = self._html.render_all(given) if self._html else nothing
        texts: Sequence[str | None] = self._text.render_all(given) if self._text else nothing
        if not self._text and self._made_text:
            texts = [(plain_text(html, template=self.id) or None) if html else None for html in htmls]
        if self._unsubscribe:
            links = [url.strip() for url in self._unsubscribe.render_all(given)]
        headers = self._rendered_headers(given) if self._headers else [()] * len(given)
        return [*map(Rendered, subjects, texts, htmls, links, headers)]

    def _rendered_headers(self, given: Sequence[dict[str, Any]]) -> list[tuple[tuple[str, str], ...]]:
        made = [(name, [*map(one_line, part.render_all(given))]) for name, part in self._headers]
        for name, values in made:
            if any(len(value) > LONGEST_HEADER for value in values):
                raise RenderError(_HEADER + name, f"is longer than {LONGEST_HEADER} characters", template=self.id)
        return [tuple([(name, values[i]) for name, values in made if values[i]]) for i in range(len(given))]

    def _readers(self, variable: str) -> list[str]:
        return [name for name, part in self._parts.items() if variable in part.variables]


def compile_spec(spec: WorkflowSpec) -> CompiledTemplate:
    """The template of a frozen workflow, with what is the workflow's own; raises `TemplateErrors`."""
    template, workflow = spec.template, spec.workflow
    return CompiledTemplate(template.id, {
        "subject": template.subject, "text": template.text, "html": template.html,
        "list_unsubscribe": workflow.list_unsubscribe,
        **{_HEADER + name: source for name, source in workflow.headers.items()},
    }, PROVIDED if workflow.unsubscribe is None else PROVIDED | {URL_VARIABLE})
