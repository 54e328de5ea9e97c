"""What lies beside a template: bodies and files, read while the template is validated, all mistakes at once."""

import re
from pathlib import Path

_BODY_FILE = re.compile(r"[\w./-]+\.(?:html?|txt|j2|jinja)")


class Beside:
    """A template's folder, given to its validation as the context. All methods raise `ValueError` and block."""

    def __init__(self, root: Path, folder: Path) -> None:
        """`root`: the catalog, which nothing may lie outside of."""
        self._root, self._folder = root, folder

    def body(self, value: object) -> object:
        """The body itself, whether it is given inline or as a file's name."""
        if not isinstance(value, str) or not _BODY_FILE.fullmatch(value.strip()):
            return value
        name = value.strip()
        try:
            return self._inside(name).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise ValueError(f"there is no file {name} beside the template") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{name} cannot be read as UTF-8: {type(error).__name__}") from error

    def content(self, name: str, most: int) -> bytes:
        """What is in a file of at most so many bytes."""
        try:
            with self._inside(name).open("rb") as file:
                content = file.read(most + 1)
        except FileNotFoundError as error:
            raise ValueError(f"there is no file {name} beside the template") from error
        except OSError as error:
            raise ValueError(f"{name} cannot be read: {type(error).__name__}") from error
        if len(content) > most:
            raise ValueError(f"{name} is larger than {most:,} bytes: put it on the web and link to it")
        return content

    def _inside(self, name: str) -> Path:
        try:
            file = (self._folder / name).resolve()
        except (OSError, ValueError) as error:  # a NUL in the name, a loop of links
            raise ValueError("cannot be the name of a file") from error
        if not file.is_relative_to(self._root):
            raise ValueError(f"{name} lies outside the catalog: put it beside the template")
        return file
