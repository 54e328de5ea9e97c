"""When it is nine everywhere: on ordinary days, and on those on which clocks change."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.scheduling.local import GRACE, LocalTimes, counted_from, next_at, zone_named

CHANGES = [
    ("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"), ("Australia/Lord_Howe", "2026-04-05"), ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Nuuk", "2024-03-31"), ("America/Nuuk", "2024-10-27"), ("Africa/Cairo", "2026-04-24"),
    ("Africa/Cairo", "2026-10-30"), ("Africa/Casablanca", "2026-02-15"), ("Pacific/Chatham", "2026-09-27"),
    ("Pacific/Apia", "2011-12-30"), ("Asia/Kathmandu", "2026-06-01"), ("America/Los_Angeles", "2026-12-31"),
]
"""Zones, and days on which their clocks change: by an hour and by half of one, at night, at midnight and before it; by
a whole day; and not at all."""
MINUTE = timedelta(minutes=1)
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def watched(clock: time, zone: ZoneInfo, since: datetime) -> datetime:
    """The answer of somebody who watches the clock on the wall, minute by minute, from long before on."""
    minutes = [since - timedelta(hours=25) + n * MINUTE for n in range(80 * 60)]
    walls = [at.astimezone(zone).replace(tzinfo=None) for at in minutes]
    found = []
    for day in {wall.date() for wall in walls}:
        wanted = datetime.combine(day, clock)
        reached = next((at for at, wall in zip(minutes, walls, strict=True) if wall >= wanted), None)
        found += [reached] if reached and reached >= since else []
    return min(found)


@given(st.sampled_from(CHANGES), st.integers(-36 * 60, 36 * 60), TIMES)
def test_it_is_when_somebody_who_watches_the_clock_says_so(change: tuple[str, str], minutes: int, clock: time) -> None:
    """The first moment at which the clock comes to show the time, or passes it in a gap; once for each date."""
    zone, since = ZoneInfo(change[0]), utc(change[1]) + minutes * MINUTE

    assert next_at(clock, zone, since) == watched(clock, zone, since)


@given(st.sampled_from(sorted(available_timezones())), st.integers(0, 2 * 366 * 24 * 60), TIMES)
def test_it_comes_within_a_day(name: str, minutes: int, clock: time) -> None:
    """In every zone there is, within 25 hours (of the day that clocks are set back): within 24 of the trigger."""
    since = utc("2026-01-01") + minutes * MINUTE

    assert since <= next_at(clock, ZoneInfo(name), since) <= since + timedelta(hours=25)


@pytest.mark.parametrize(("zone", "clock", "since", "at"), [
    ("Asia/Tokyo", "09:00", "2026-03-01T00:00", "2026-03-01T00:00"),
    ("Asia/Tokyo", "09:00", "2026-03-01T00:00:01", "2026-03-02T00:00"),
    ("America/Los_Angeles", "09:00", "2026-03-01T00:00", "2026-03-01T17:00"),
    ("Europe/Berlin", "02:30", "2026-03-29T00:00", "2026-03-29T01:00"),     # a gap: 03:00 of summer
    ("Europe/Berlin", "02:30", "2026-10-25T00:00", "2026-10-25T00:30"),     # twice: that of summer
    ("Europe/Berlin", "02:30", "2026-10-25T00:31", "2026-10-26T01:30"),     # once a date
    ("America/Nuuk", "23:30", "2024-03-31T00:30", "2024-03-31T01:00"),      # midnight comes an hour early
    ("Pacific/Apia", "09:00", "2011-12-29T19:00:01", "2011-12-30T19:00"),   # the 30th was left out
])
def test_examples(zone: str, clock: str, since: str, at: str) -> None:
    """What a calendar says."""
    assert next_at(time.fromisoformat(clock), ZoneInfo(zone), utc(since)) == utc(at)


@pytest.mark.parametrize("name", [
    None, "", " ", "Mars/Base", "../etc/passwd", "Europe", "x" * 5_000, "a\0b", 7, "+02:00", "localtime"])
def test_what_is_no_zone(name: object) -> None:
    """Whatever a column holds: no zone and no exception."""
    assert zone_named(name) is None


def test_each_by_their_own_clock_and_the_others_by_the_default() -> None:
    """Who brings no zone, or one that nobody knows, is counted and goes by the default one."""
    local = LocalTimes(time(9), ZoneInfo("Europe/Berlin"), utc("2026-03-01T00:00"))

    due = [local.of({"timezone": zone}) for zone in ("Asia/Tokyo", " Asia/Tokyo", "Mars/Base", "Mars/Base", None, "")]

    assert [datetime.fromtimestamp(at, UTC).hour for at in [*due, local.of({})]] == [0, 0, 8, 8, 8, 8, 8]
    assert (local.unknown, local.without) == (2, 3)
    assert local.warning == ("3 recipients bring no timezone and 2 bring a timezone that is not known, such as "
                             "'Mars/Base': they go by the clock of Europe/Berlin")


def test_nothing_is_said_when_everybody_has_a_zone() -> None:
    """No warning; and a column of odd values takes no memory."""
    local = LocalTimes(time(9), ZoneInfo("UTC"), utc("2026-03-01T00:00"))
    local.of({"timezone": "Asia/Tokyo"})
    assert local.warning is None

    for n in range(10_000):
        local.of({"timezone": f"Mars/{n}"})
    assert local.unknown == 10_000
    assert len(local._known) <= 4_096


@pytest.mark.parametrize(("slot", "since"), [
    (None, "2026-03-01T08:05"),
    ("2026-03-01T09:00:00Z", "2026-03-01T08:05"),       # five minutes late
    ("2026-02-20T09:00:00Z", "2026-03-01T08:05"),       # of long ago: nobody is due in the middle of the night
    ("2026-03-02T00:00:00Z", "2026-03-01T23:00"),       # still to come
    ("9999-12-31T23:59:59Z", "2026-03-03T00:00"),       # the deadline
])
def test_a_run_counts_from_its_trigger_or_its_slot(slot: str | None, since: str) -> None:
    """An hour of grace before the trigger, or before a slot that is later."""
    triggered, deadline = utc("2026-03-01T09:05"), utc("2026-03-03T00:00")

    assert counted_from(triggered.timestamp(), slot, deadline.timestamp()) == utc(since)
    assert timedelta(hours=1) == GRACE
