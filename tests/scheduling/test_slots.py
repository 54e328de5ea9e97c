"""Slots of schedules: real transitions of real zones, quiet windows, and what is made up for."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from pydantic import ValidationError

from outreach_stream.catalog.schedules import Schedule
from outreach_stream.scheduling.slots import ready, slots, to_come


def schedule(**fields) -> Schedule:
    given = {"id": "s", "workflow": "7"} | fields
    if "at" not in given:
        given.setdefault("cron", "0 9 * * *")
    return Schedule.model_validate(given)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first(rule: Schedule, after: str, count: int) -> list[str]:
    return [f"{slot.at:%m-%d %H:%M}" for slot in islice(slots(rule, utc(after)), count)]


@pytest.mark.parametrize(("zone", "cron", "after", "expected"), [
    # Berlin, 2026-03-29: 02:00 becomes 03:00.
    ("Europe/Berlin", "30 2 * * *", "2026-03-27", ["03-27 01:30", "03-28 01:30", "03-29 01:00", "03-30 00:30"]),
    ("Europe/Berlin", "0 9 * * *", "2026-03-28", ["03-28 08:00", "03-29 07:00"]),
    # Berlin, 2026-10-25: 03:00 becomes 02:00 again.
    ("Europe/Berlin", "30 2 * * *", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
    ("Europe/Berlin", "*/30 * * * *", "2026-10-25 00:00", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
    # New York, 2026-11-01: 02:00 becomes 01:00 again.
    ("America/New_York", "15 1 * * *", "2026-10-31", ["10-31 05:15", "11-01 05:15", "11-02 06:15"]),
    # Lord Howe changes by half an hour: 2026-10-04, 02:00 becomes 02:30.
    ("Australia/Lord_Howe", "15 2 * * *", "2026-10-02", ["10-02 15:45", "10-03 15:30", "10-04 15:15"]),
    # Kathmandu never changes; its offset is 5:45.
    ("Asia/Kathmandu", "0 0 * * *", "2026-06-01", ["06-01 18:15", "06-02 18:15"]),
])
def test_clocks_that_change_make_no_slot_twice_and_lose_none(zone, cron, after, expected):
    """A time of day that is missing comes once, one that is there twice comes once."""
    assert first(schedule(cron=cron, timezone=zone), after, len(expected)) == expected


def test_a_moment_is_one_slot_read_in_its_zone():
    """`at` without an offset is the clock on the schedule's wall."""
    once = schedule(at="2026-12-01T09:00:00", timezone="Europe/Berlin")
    assert first(once, "2026-11-01", 5) == ["12-01 08:00"]
    assert first(once, "2026-12-01 08:00", 5) == []
    assert first(schedule(at="2026-12-01T09:00:00+05:00", timezone="Europe/Berlin"), "2026-11-01", 5) == ["12-01 04:00"]


def readied(rule: Schedule, since: str, now: str) -> list[str]:
    return [f"{slot.at:%m-%d %H:%M}" for slot in ready(rule, utc(since), utc(now))]


@pytest.mark.parametrize(("catch_up", "expected"), [
    ("all", ["03-02 09:00", "03-02 10:00", "03-02 11:00"]), ("latest", ["03-02 11:00"]), ("none", []),
])
def test_what_was_missed_is_made_up_for_as_the_schedule_says(catch_up, expected):
    """Three hours without a ticker: all slots, the last, or none."""
    hourly = schedule(cron="0 * * * *", catch_up=catch_up, max_lateness="3h")
    assert readied(hourly, "2026-03-02 08:30", "2026-03-02 11:20") == expected


def test_nothing_is_made_up_for_that_is_too_late():
    """Beyond max_lateness a slot is gone."""
    hourly = schedule(cron="0 * * * *", catch_up="all", max_lateness="90m")
    assert readied(hourly, "2026-03-01", "2026-03-02 11:20") == ["03-02 10:00", "03-02 11:00"]


def test_a_ticker_that_runs_triggers_each_slot_whatever_is_made_up_for():
    """Within a minute nobody is late: a restart in the middle of a slot loses nothing, even with `none`."""
    for catch_up in ("all", "latest", "none"):
        hourly = schedule(cron="0 * * * *", catch_up=catch_up)
        assert readied(hourly, "2026-03-02 10:59:59", "2026-03-02 11:00:00") == ["03-02 11:00"]
        assert readied(hourly, "2026-03-02 10:00:00", "2026-03-02 11:00:40") == ["03-02 11:00"]
        assert readied(hourly, "2026-03-02 11:00:00", "2026-03-02 11:00:40") == []


QUIET = [{"from": "22:00", "to": "07:00"}, {"from": "00:00", "to": "00:00", "days": ["SUN"]}]


@pytest.mark.parametrize(("slot", "due"), [
    ("2026-03-02 21:59", "2026-03-02 21:59"),       # a Monday, before
    ("2026-03-02 22:00", "2026-03-03 07:00"),
    ("2026-03-03 06:59", "2026-03-03 07:00"),
    ("2026-03-03 07:00", "2026-03-03 07:00"),
    ("2026-03-07 23:00", "2026-03-09 07:00"),       # Saturday night, all of Sunday, and Sunday night
    ("2026-03-08 12:00", "2026-03-09 00:00"),       # Sunday noon: until midnight, which Sunday's night then covers
])
def test_a_slot_in_a_quiet_window_is_due_at_its_end(slot, due):
    """Also over midnight, and from one window into the next."""
    rule = schedule(at=f"{slot}:00", quiet=QUIET)
    found = next(slots(rule, utc("2026-01-01")))
    assert found.at == utc(slot)
    assert found.due == (utc("2026-03-09 07:00") if slot == "2026-03-08 12:00" else utc(due))


def test_slots_that_waited_are_late_from_the_end_of_the_window_on():
    """A night's hourly slots are one run in the morning with `latest`, all of them with `all`."""
    night = [{"from": "22:00", "to": "07:00"}]
    for catch_up, expected in (("latest", 1), ("all", 9)):
        hourly = schedule(cron="30 * * * *", quiet=night, catch_up=catch_up, max_lateness="5m")
        assert readied(hourly, "2026-03-03 06:59:59", "2026-03-03 06:59:59") == []
        assert len(readied(hourly, "2026-03-03 06:59:59", "2026-03-03 07:00:00")) == expected


def test_a_disabled_schedule_has_nothing_ready():
    """It is told of, and never triggered."""
    assert ready(schedule(cron="* * * * *", enabled=False), utc("2026-03-01"), utc("2026-03-02")) == []


@pytest.mark.parametrize(("fields", "said"), [
    ({"cron": "0 9 * *"}, "five fields"), ({"cron": "0 25 * * *"}, "no cron expression"),
    ({"cron": "0 0 31 2 *"}, "no cron expression"), ({"timezone": "Europe/Bonn"}, "no time zone"),
    ({"timezone": "../../etc/passwd"}, "no time zone"), ({"at": "2026-12-01T09:00:00", "cron": "0 9 * * *"}, "one of"),
    ({"quiet": [{"from": 79200, "to": "07:00"}]}, "time of day"), ({"quiet": [{"from": "0:00", "to": "1:00"}]}, "time"),
    ({"quiet": [{"from": "00:00", "to": "00:00"}]}, "no time at all"), ({"max_lateness": 60}, "unit"),
])
def test_what_a_file_gets_wrong_is_said_in_words(fields, said):
    """Each refusal says what to write instead."""
    with pytest.raises(ValidationError, match=said):
        schedule(**fields)


def test_a_year_of_slots_never_repeats_an_instant():
    """In a zone with two changes a year, whatever the expression."""
    for cron in ("*/15 * * * *", "0 */2 * * *", "30 1-3 * * *", "0 0 1 * *", "5 2 * * SUN"):
        rule, end = schedule(cron=cron, timezone="Europe/London"), utc("2027-01-01")
        found = []
        for slot in slots(rule, utc("2026-01-01")):
            if slot.at > end:
                break
            found.append(slot.at)
        assert found == sorted(set(found))
        assert len(found) > 10
        assert all(later - earlier >= timedelta(minutes=15) for earlier, later in pairwise(found))


@pytest.mark.parametrize(("after", "expected"), [
    ("2026-06-01 05:59", ["06-01 06:00", "06-01 06:30", "06-01 07:00", "06-01 07:30", "06-01 08:00"]),
    # In the window all that it holds back is still to come.
    ("2026-06-01 07:45", ["06-01 06:00", "06-01 06:30", "06-01 07:00", "06-01 07:30", "06-01 08:00"]),
    ("2026-06-01 08:00", ["06-01 08:30", "06-01 09:00", "06-01 09:30", "06-01 10:00", "06-01 10:30"]),
])
def test_what_waits_for_the_end_of_a_window_is_still_to_come(after: str, expected: list[str]) -> None:
    """Its instant has passed, but nobody has triggered it."""
    rule = schedule(cron="*/30 * * * *", quiet=[{"from": "06:00", "to": "08:00"}])
    assert [f"{slot.at:%m-%d %H:%M}" for slot in islice(to_come(rule, utc(after)), 5)] == expected


def test_a_window_that_ends_while_the_clocks_change_holds_back_until_then() -> None:
    """Berlin, 2026-03-29: 02:30 does not exist, the clock shows 03:15, and what waits for 02:30 is still to come."""
    rule = schedule(cron="30 1 * * *", timezone="Europe/Berlin", quiet=[{"from": "01:00", "to": "02:30"}])
    slot = next(to_come(rule, utc("2026-03-29 01:15")))
    assert f"{slot.at:%m-%d %H:%M} {slot.due:%m-%d %H:%M}" == "03-29 00:30 03-29 01:30"
