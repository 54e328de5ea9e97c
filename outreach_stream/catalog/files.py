"""Reading one catalog file: YAML with line numbers in its errors, paths relative to the catalog."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import yaml


class ReadProblem(Exception):  # noqa: N818 - becomes a CatalogProblem
    """A file, or one of its fields, cannot be read."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


_NAMED = re.compile(r"(tag|handle|alias|anchor) '[^']*'")
"""What YAML repeats of a file in its errors: a secret that begins with `!`, `*` or `&` is that."""


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, where YAML would silently keep the last; raises nothing but YAML's errors."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value; some of its makers raise whatever comes up in them (`2026-13-45`, `!!int x`)."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError, AttributeError) as error:
            words = "this value is not what it looks like: write it in quotes"
            raise yaml.constructor.ConstructorError(None, None, words, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping, each of its keys once."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is given twice", key_node.start_mark)
            seen.add(str(key))
        return super().construct_mapping(node, deep)


def read_mapping(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises `ReadProblem` with the line where it is wrong."""
    try:
        data = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        words = _NAMED.sub(r"\1", error.problem or error.context or "")
        raise ReadProblem("", f"{line}not valid YAML: {words}") from error
    except yaml.YAMLError as error:
        raise ReadProblem("", "not valid YAML: it holds characters that YAML does not allow") from error
    except RecursionError as error:
        raise ReadProblem("", "not valid YAML: it is nested too deeply") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ReadProblem("", f"cannot be read as UTF-8 text: {type(error).__name__}") from error
    if not isinstance(data, dict):
        raise ReadProblem("", "must be a mapping: lines like `name: value`")
    odd = [key for key in data if not isinstance(key, str)]
    if odd:
        raise ReadProblem(str(odd[0]), 'field names must be text: write it in quotes, "…"')
    return data


def absolute_database(url: str, root: Path) -> str:
    """A SQLite path relative to the catalog made absolute; other URLs as they are."""
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        return url
    # A URL's path is percent-encoded; the folder's own name may hold what needs it.
    return prefix + quote(str((root / unquote(url.removeprefix(prefix))).resolve()))
