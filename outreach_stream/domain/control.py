"""What is ordered in mid-run: about runs by operators, about engines by what they answered and by operators.

The topic `control` keeps the last word on each matter under a key of its own, so that none erases another.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from outreach_stream.domain.event import Event

type Matter = Literal["cancel", "pause", "fuse", "throttle"]


class Subject(NamedTuple):
    """Whom an order is about."""

    kind: Literal["run", "engine"]
    id: str


type Listener = Callable[[Subject], None]


class RunOrder(Event):
    """An operator's: under `cancel` for good, under `pause` until it is taken back (a record without a value)."""

    at: float
    by: str = ""


class EngineFuse(Event):
    """The engine has stopped: nothing is handed to it until an operator takes that back (a record without a value)."""

    reason: str
    at: float
    by: str = ""


class EngineThrottle(Event):
    """The engine's provider said that we are too fast: no mail before `until`, and then at a part of the rate."""

    until: float
    factor: float = Field(gt=0, le=1)
    """Part of the engine's rate at `until`; it climbs back from there (see `delivery.throttle`)."""
    reason: str = ""
    at: float


def control_key(subject: Subject, matter: Matter) -> bytes:
    """The key of a matter in `control`."""
    return f"{subject.kind}:{subject.id}:{matter}".encode()


type AnyOrder = RunOrder | EngineFuse | EngineThrottle

_MODELS: dict[tuple[str, str], type[AnyOrder]] = {
    ("run", "cancel"): RunOrder, ("run", "pause"): RunOrder,
    ("engine", "fuse"): EngineFuse, ("engine", "throttle"): EngineThrottle,
}


class Said(NamedTuple):
    """One record of `control`."""

    subject: Subject
    matter: str
    order: AnyOrder | None
    """None: it is taken back."""


def read_order(key: bytes, value: bytes | None) -> Said:
    """What a record says; raises ValueError for one that cannot be read, without repeating what is in it."""
    kind, _, rest = key.decode().partition(":")
    subject_id, _, matter = rest.rpartition(":")
    model = _MODELS.get((kind, matter))
    if model is None or not subject_id:
        raise ValueError(f"nothing is ordered under the key {key!r}")
    subject = Subject("run" if kind == "run" else "engine", subject_id)
    try:
        return Said(subject, matter, None if value is None else model.model_validate_json(value))
    except ValidationError as error:
        wrong = error.errors(include_input=False)[0]
        field = ".".join(map(str, wrong["loc"]))
        raise ValueError(f"not a {model.__name__}: {field + ': ' if field else ''}{wrong['msg']}") from error


class Control:
    """All orders as far as they are known here: feed it the topic's records by `note`, in order."""

    def __init__(self) -> None:
        # By matter and whom it is about: looked up several times for each mail.
        self._orders: dict[str, dict[str, AnyOrder]] = {matter: {} for _, matter in _MODELS}
        self.quiet = True
        """Nothing is ordered about anybody: so it is nearly always, and nothing is to be looked up for a mail."""
        self.listeners: list[Listener] = []
        """Called after each change with whom it is about; must not wait or raise."""

    def note(self, key: bytes, value: bytes | None) -> None:
        """Take in one record; raises ValueError for one that cannot be read, which then changes nothing."""
        subject, matter, order = read_order(key, value)
        if order is None:
            self._orders[matter].pop(subject.id, None)
        else:
            self._orders[matter][subject.id] = order
        self.quiet = not any(self._orders.values())
        for listener in self.listeners:
            listener(subject)

    def cancelled(self, run_id: str) -> bool:
        """Nobody of the run is to be mailed any more."""
        return run_id in self._orders["cancel"]

    def paused(self, run_id: str) -> bool:
        """Nobody of the run is to be mailed until it is resumed; its deadline goes on."""
        return run_id in self._orders["pause"]

    def fuse(self, engine: str) -> EngineFuse | None:
        """Why nothing is handed to the engine; None: it has not stopped."""
        order = self._orders["fuse"].get(engine)
        return order if isinstance(order, EngineFuse) else None

    def throttle(self, engine: str) -> EngineThrottle | None:
        """What its provider asked for last."""
        order = self._orders["throttle"].get(engine)
        return order if isinstance(order, EngineThrottle) else None

    @property
    def engines(self) -> set[str]:
        """Of whom something is ordered."""
        return {*self._orders["fuse"], *self._orders["throttle"]}

    def ordered(self, run_id: str) -> list[bytes]:
        """The keys under which something is ordered about the run."""
        subject = Subject("run", run_id)
        return [control_key(subject, matter) for matter in ("cancel", "pause") if run_id in self._orders[matter]]
