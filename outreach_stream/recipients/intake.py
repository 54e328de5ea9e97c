"""Who is mailed and who is left out: one decision per row, in the order of the rows."""

import math
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from outreach_stream.recipients.addresses import AddressSet, canonical_address
from outreach_stream.recipients.failures import MissingEmailColumn, QueryFailed

Reason = Literal["invalid", "suppressed", "unsubscribed", "duplicate"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_LONGEST_SHOWN = 320


class Recipient(NamedTuple):
    """Somebody to be mailed."""

    email: str
    """As it goes on the wire: checked, with an ASCII domain."""
    name: str
    """One line; empty when it is not known."""
    variables: dict[str, Any]
    """The rest of the row, fit for JSON."""


class Skipped(NamedTuple):
    """Somebody who is left out, and why."""

    email: str
    reason: Reason


class Intake:
    """Decides on the recipients of one run. Of several rows with one address, the first counts."""

    def __init__(self, suppressed: Container[str] = (), unsubscribed: Container[str] = ()) -> None:
        """`suppressed`: addresses that get no mail, an `AddressSet` as a rule; `unsubscribed`: likewise, by a list."""
        self._suppressed, self._unsubscribed = suppressed, unsubscribed
        self._seen = AddressSet()
        self.skipped: Counter[Reason] = Counter()
        """How many were left out so far, by reason."""

    def decide(self, email: object, name: object, variables: dict[str, Any]) -> Recipient | Skipped:
        """One recipient; `variables` are taken over and made fit for JSON in place. Does not block."""
        address = canonical_address(email) if isinstance(email, str) else None
        if address is None:
            return self._skip(str(email if email is not None else "")[:_LONGEST_SHOWN], "invalid")
        if address in self._suppressed:
            return self._skip(address, "suppressed")
        if address in self._unsubscribed:
            return self._skip(address, "unsubscribed")
        if not self._seen.add(address):
            return self._skip(address, "duplicate")
        for key, value in variables.items():
            if type(value) not in _AS_IT_IS:
                variables[key] = for_json(value, key)
        return Recipient(address, one_line(name), variables)

    def _skip(self, email: str, reason: Reason) -> Skipped:
        self.skipped[reason] += 1
        return Skipped(email, reason)


class Columns:
    """Where the columns of a query go: `email`, `name`, and the rest to the template."""

    def __init__(self, names: Sequence[str]) -> None:
        """Raises `MissingEmailColumn`, and `QueryFailed` when a name occurs twice."""
        if "email" not in names:
            raise MissingEmailColumn(names)
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise QueryFailed(f"the query has two columns named {', '.join(twice)}: rename one with AS")
        self.names = tuple(names)
        self._email = names.index("email")
        self._name = names.index("name") if "name" in names else None
        self._rest = [(place, name) for place, name in enumerate(names) if name not in {"email", "name"}]

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the template variables that a row brings, beside `email` and `name`."""
        return tuple(name for _, name in self._rest)

    def decide(self, intake: Intake, row: Sequence[Any]) -> Recipient | Skipped:
        """What `intake` makes of one row."""
        name = row[self._name] if self._name is not None else ""
        return intake.decide(row[self._email], name, {key: row[place] for place, key in self._rest})


def one_line(name: object) -> str:
    """A display name as one line: control characters, CR and LF among them, become spaces.

    A row's data cannot add a header to a mail, and a name that was pasted with a line break is still a name.
    """
    text = name if isinstance(name, str) else "" if name is None else str(name)
    return " ".join((text if text.isprintable() else _CONTROL.sub(" ", text)).split())


def for_json(value: Any, column: str) -> Any:
    """`value` as JSON can say it: dates, times, decimals and UUIDs become text, lists and mappings are walked through.

    Raises `QueryFailed`, naming the column, for bytes and other things that no template could print.
    """
    if type(value) in _AS_IT_IS or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID | timedelta | float):  # a float here is not a number, or infinite
        return str(value)
    if isinstance(value, list | tuple | set):
        return [for_json(item, column) for item in value]
    if isinstance(value, Mapping):
        return {str(key): for_json(item, column) for key, item in value.items()}
    raise QueryFailed(f"column {column} holds {type(value).__name__}, which a template cannot print: CAST it to text")
