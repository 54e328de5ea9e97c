"""What became of the demo: the run's log beside what the inbox received."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from outreach_stream.domain.events import RunStatus
from outreach_stream.domain.states import RecipientStatus, RunState
from outreach_stream.inbox.record import InboxRecord
from outreach_stream.runs.log_store import open_log

_ENDS = frozenset(RecipientStatus)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result; `problems` is empty if all is as it must be."""

    status: RunStatus
    seconds: float
    """From the trigger to the written log."""
    log: str | None
    """Where it lies: a path or a URL."""
    mails: int
    """Mails that the inbox received."""
    readers: int
    """Recipients who received at least one."""
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "run_id": self.status.run_id, "state": self.status.state, "counts": self.status.counts.model_dump(),
            "seconds": round(self.seconds, 3), "log": self.log,
            "inbox": {"mails": self.mails, "recipients": self.readers}, "problems": list(self.problems),
        }

    def lines(self) -> list[str]:
        """The result for people."""
        counts = self.status.counts
        ends = [f"{count:,} {name}" for name in ("sent", "failed", "expired", "in_doubt", "skipped")
                if (count := getattr(counts, name)) or name in {"sent", "failed"}]
        rate = counts.ended / self.seconds if self.seconds else 0
        return [
            f"{self.status.state} after {self.seconds:.1f} s: {', '.join(ends)} of {counts.total:,} ({rate:,.0f}/s)",
            *([f"Reason: {self.status.reason}"] if self.status.reason else []),
            f"The inbox received {self.mails:,} mails for {self.readers:,} people"
            + ("." if self.problems else ": exactly those that are marked sent."),
            f"Log: {self.log or 'not written'}",
        ]


def judge(status: RunStatus, seconds: float, inbox: InboxRecord, people: int) -> Verdict:
    """Compare the run's log with what the inbox received. Blocks on both files."""
    received = inbox.recipients()
    ends = _ends(status.log)
    return Verdict(status, seconds, status.log, received.total(), len(received),
                   tuple(_problems(status, ends, received, people)))


def _ends(place: str | None) -> list[tuple[str, str]]:
    """Every recipient in the log with their status."""
    if place is None:
        return []
    with open_log(place) as log:
        recipients = json.loads(log.read(0, log.size))["recipients"]
    return [(entry["email"], entry["status"]) for entry in recipients]


def _problems(status: RunStatus, ends: list[tuple[str, str]], received: Counter[str], people: int) -> list[str]:
    sent = {email for email, end in ends if end == RecipientStatus.SENT}
    endless = [end for _, end in ends if end not in _ENDS]
    duplicates = received.total() - len(received)
    found = [
        (status.state is not RunState.COMPLETED, f"the run is {status.state}: {status.reason}"),
        (len({email for email, _ in ends}) != people or len(ends) != people,
         f"the log has {len(ends)} recipients, the database {people}"),
        (bool(endless), f"{len(endless)} recipients in the log have no final state"),
        (sent - received.keys() != set(), f"{len(sent - received.keys())} are marked sent and got nothing"),
        (received.keys() - sent != set(), f"{len(received.keys() - sent)} got mail and are not marked sent"),
        (duplicates > status.counts.possible_duplicates,
         f"{duplicates} mails came twice, {status.counts.possible_duplicates} are marked so"),
    ]
    return [text for wrong, text in found if wrong]
