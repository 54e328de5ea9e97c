"""When a run's mails may go: at once or from a time of day on, and until when."""

from typing import Annotated, Literal

from pydantic import PlainSerializer

from outreach_stream.catalog.schedules import TimeOfDay, ZoneName
from outreach_stream.rules import Ruled, rule
from outreach_stream.topics import DAY, LONGEST_RUN
from outreach_stream.values import Duration

LocalTime = Annotated[TimeOfDay, PlainSerializer(lambda at: f"{at:%H:%M}", return_type=str, when_used="json")]
"""A time of day that is written as it is read: a frozen workflow is read again."""


class Timing(Ruled):
    """The part of a workflow that says when."""

    deadline: Duration = "24h"  # type: ignore[assignment]
    """Seconds from the trigger after which unsent mails expire."""
    priority: Literal["express", "bulk"] | None = None
    """Unless the trigger says. None: express for a few recipients that come with the trigger, else bulk."""
    local_time: LocalTime | None = None
    """Each recipient is mailed from this time of day on, in the zone of their column `timezone`. None: at once."""
    default_timezone: ZoneName = "UTC"
    """Whose clock is looked at for those who bring no zone, or one that is not known."""

    @rule("deadline")
    def _deadline_fits(self) -> str | None:
        fits = 0 < self.deadline <= LONGEST_RUN
        most = f"{LONGEST_RUN // DAY}d"
        return None if fits else f"deadline must be more than 0s and at most {most}, as topics keep a run"

    @rule("deadline", "local_time")
    def _everybody_becomes_due(self) -> str | None:
        early = self.local_time is not None and 0 < self.deadline < DAY
        return ("deadline is less than 24h, but with local_time the last recipients become due most of a day after "
                "the first: write 24h or more") if early else None

    @rule("priority", "local_time")
    def _express_waits_for_nothing(self) -> str | None:
        both = self.local_time is not None and self.priority == "express"
        return "priority is express, which waits for no local_time: drop one of the two" if both else None
