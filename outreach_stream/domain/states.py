"""The life of a run and the ends of a recipient: closed vocabularies, and which of two claims wins."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class RunState(StrEnum):
    """Where a run stands. States only move forward."""

    REFUSED = "REFUSED"
    """Never admitted (an unknown workflow, a deadline that has passed). The same trigger may be admitted later."""
    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    """Being planned: the query runs, the templates are checked."""
    SENDING = "SENDING"
    COMPLETED = "COMPLETED"
    """Every planned recipient has a final state, whichever."""
    FAILED = "FAILED"
    """Could not be planned; nobody was mailed."""
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """Nothing follows."""
        return self in _TERMINAL


_TERMINAL = {RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED}


class RecipientStatus(StrEnum):
    """How it ended for one recipient."""

    SENT = "sent"
    IN_DOUBT = "in_doubt"
    """Handed over, never answered: nobody knows, a person or a rule decides."""
    FAILED = "failed"
    EXPIRED = "expired"
    """The run's deadline passed first; the engine was not touched."""
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """Left out: invalid, duplicate, suppressed or unsubscribed, the last also in mid-run."""


SENDING_ENDS = (RecipientStatus.SENT, RecipientStatus.IN_DOUBT, RecipientStatus.FAILED, RecipientStatus.EXPIRED,
                RecipientStatus.CANCELLED)
"""Ends of a planned recipient, strongest first: where two ever disagree, the earlier in this list is believed."""


class Counts(BaseModel):
    """Recipients of a run by how they ended; `total` are those that were planned."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    total: int = 0
    sent: int = 0
    failed: int = 0
    expired: int = 0
    in_doubt: int = 0
    cancelled: int = 0
    skipped: int = 0
    """Left out: invalid, duplicate, suppressed or unsubscribed; not among the others."""
    possible_duplicates: int = 0
    """Of those sent, how many may have been mailed twice."""

    @property
    def ended(self) -> int:
        """Planned recipients with a final state."""
        return self.sent + self.failed + self.expired + self.in_doubt + self.cancelled
