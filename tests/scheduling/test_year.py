"""A year of slots of ten expressions in six zones, compared with a cron library that is not the one in use."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.scheduling.slots import slots

EXPRESSIONS = ["0 9 * * MON-FRI", "*/30 * * * *", "30 2 * * *", "15 1 * * *", "0 0 1 * *", "0 12 L * *", "5 4 * * SUN",
               "0 */6 * * *", "45 23 31 * *", "0 8 1 1,4,7,10 *"]
ZONES = ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Kolkata", "America/Sao_Paulo",
         "Pacific/Auckland"]
YEAR = 2026
MINUTE = timedelta(minutes=1)


def theirs(expression: str, zone: ZoneInfo) -> list[datetime]:
    """What the other library says of a clock that never changes, put on the zone's.

    A time that is missing comes as soon as the gap is over, one that is there twice comes the first time; every
    half hour is every half hour of UTC.
    """
    by_the_wall = not expression.startswith("*")
    begin, end = datetime(YEAR, 1, 1), datetime(YEAR + 1, 1, 1)  # noqa: DTZ001 - a clock on no wall yet
    if not by_the_wall:
        begin, end = (at.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) for at in (begin, end))
    found, each = [], croniter(expression, begin)
    while (at := each.get_next(datetime)) <= end:
        found.append(on_the_clock(at, zone) if by_the_wall else at.replace(tzinfo=UTC))
    return found


def on_the_clock(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a time of day; of one that is missing the end of the gap."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != wall:
        while (at - MINUTE).astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
            at -= MINUTE
    return at


@pytest.mark.parametrize("zone_name", ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_year_of_slots_is_what_another_library_says(expression, zone_name):
    """Each slot to the second, the days on which the clocks change included."""
    zone = ZoneInfo(zone_name)
    begin, end = datetime(YEAR, 1, 1, tzinfo=zone), datetime(YEAR + 1, 1, 1, tzinfo=zone)
    rule = Schedule(id="s", workflow="7", cron=expression, timezone=zone_name)
    ours = [slot.at for slot in takewhile(lambda slot: slot.at <= end, slots(rule, begin))]
    assert ours == theirs(expression, zone)
    assert ours
