"""Every topic, in the order in which a mail meets them. The table of contents of the system; no logic.

The number of partitions is layout: it is fixed when a topic is created and checked by every worker at its start.
Topics of one group have the same number of partitions, because a run (or a lane) must meet the same process in each.
"""

from dataclasses import dataclass
from typing import Literal

DAY = 86_400

LONGEST_RUN = 14 * DAY
"""Seconds a run may last (L): admission refuses a deadline beyond it, so nothing a run needs expires before it does."""

Group = Literal["triggers", "runs", "engines", "lanes", "one"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: where a record goes, what it carries and how long it is kept."""

    name: str
    partition_by: str
    carries: str
    group: Group
    keep: int | None
    """Seconds a record is kept; None: for ever (compacted topics keep the last value of a key)."""
    compacted: bool = False
    public: bool = False
    """Other services may rely on it: its events have a schema in `docs/events/`."""


WORKFLOW_TRIGGERED = Topic("workflow.triggered", "any (foreign producers partition as they like)",
                           "WorkflowTriggered: run this workflow now, for this slot", "triggers", 7 * DAY, public=True)
RUN_EVENT = Topic("run.event", "run id", "RunEvent: what happens to a run", "runs", LONGEST_RUN + 7 * DAY)
RUN_ADMITTED = Topic("run.admitted", "run id", "RunRequested: a run to plan with a query", "runs",
                     LONGEST_RUN + 7 * DAY)
RUN_ADMITTED_EXPRESS = Topic("run.admitted.express", "run id",
                             "RunRequested: a run to plan without a query, never behind one", "runs",
                             LONGEST_RUN + 7 * DAY)
WORKFLOW_SPEC = Topic("workflow.spec", "digest of its content", "WorkflowSpec: bodies shared by all runs of a version",
                      "one", None, compacted=True)
RUN_CHUNK = Topic("run.chunk", "run id", "RunChunk: up to 1,024 recipients; storage, read by offset", "runs",
                  LONGEST_RUN + 7 * DAY)
RUN_PLANNED = Topic("run.planned", "explicit: the engine's", "RunPlanned: the run as work to schedule", "engines",
                    LONGEST_RUN + 7 * DAY)
SEND_REQUESTED = Topic("send.requested", "explicit: lane(run id, chunk, index)", "SendRequested: one recipient",
                       "lanes", LONGEST_RUN + 7 * DAY)
SEND_REQUESTED_EXPRESS = Topic("send.requested.express", "explicit: lane(run id, chunk, index)",
                               "SendRequested: one recipient, ahead of bulk", "lanes", LONGEST_RUN + 7 * DAY)
LANE_PROGRESS = Topic("lane.progress", "lane", "LaneProgress: how far a lane is finished, for pacing", "one", None,
                      compacted=True)
SEND_RESULT = Topic("send.result", "run id", "SendResult: one recipient's outcome", "runs", LONGEST_RUN + 7 * DAY,
                    public=True)
RUN_STATUS = Topic("run.status", "run id", "RunStatus: state and counts of a run", "runs", 30 * DAY, compacted=True,
                   public=True)
SUPPRESSION = Topic("suppression", "one partition", "Unsubscribed: an address that gets no mail of a list", "one", None,
                    compacted=True, public=True)
CONTROL = Topic("control", "one partition", "one key per matter: pause, cancel, throttle, fuse", "one", None,
                compacted=True)
DEAD_LETTER = Topic("dead.letter", "source partition", "original bytes of what could not be decoded, with the reason",
                    "one", 30 * DAY, public=True)

FLOW = (
    WORKFLOW_TRIGGERED, RUN_EVENT, RUN_ADMITTED, RUN_ADMITTED_EXPRESS, WORKFLOW_SPEC, RUN_CHUNK, RUN_PLANNED,
    SEND_REQUESTED, SEND_REQUESTED_EXPRESS, LANE_PROGRESS, SEND_RESULT, RUN_STATUS, SUPPRESSION, CONTROL,
    DEAD_LETTER,
)
"""All topics in flow order."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many partitions each group of topics has. The defaults are for a laptop."""

    triggers: int = 4
    runs: int = 4
    engines: int = 4
    lanes: int = 8

    def partitions(self, topic: Topic) -> int:
        """Partitions that `topic` must have."""
        return 1 if topic.group == "one" else int(getattr(self, topic.group))
