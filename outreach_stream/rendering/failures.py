"""How a mail can fail to be made. None of the messages holds anything of a recipient's data."""

from collections.abc import Iterable


class TemplateErrors(Exception):  # noqa: N818 - it holds all of them
    """A template cannot be compiled; `problems` are (part, what is wrong), all of them."""

    def __init__(self, template: str, problems: Iterable[tuple[str, str]]) -> None:
        self.template = template
        self.problems = list(problems)
        super().__init__("; ".join(f"template {template}, {part}: {message}" for part, message in self.problems))


class RenderError(Exception):
    """One recipient's mail cannot be made; the others of the run are not concerned."""

    def __init__(self, part: str, message: str, *, template: str = "") -> None:
        self.part = part
        self.message = message
        self.template = template
        super().__init__(f"template {template}, {part}: {message}" if template else f"{part}: {message}")
