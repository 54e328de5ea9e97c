"""The libraries' floods are stopped, our own lines are not."""

import logging

from outreach_stream.streaming.logs import Flood


def line(name: str, message: str = "Unable to connect to %s") -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, None, None)


def test_a_flood_of_one_kind_is_cut() -> None:
    """An outage's thousand lines become a few, and the next minute a few again."""
    now = [0.0]
    flood = Flood(most=2, seconds=60.0, clock=lambda: now[0])

    first = [flood.filter(line("aiokafka.conn")) for _ in range(5)]
    now[0] = 61.0

    assert first == [True, True, False, False, False]
    assert flood.filter(line("aiokafka.conn"))


def test_other_kinds_pass() -> None:
    """Another message, and another logger, have limits of their own."""
    flood = Flood(most=1)

    assert flood.filter(line("aiokafka.conn"))
    assert flood.filter(line("aiokafka.conn", "Topic %s not found"))
    assert flood.filter(line("faust.transport"))


def test_our_own_lines_pass() -> None:
    """Only libraries flood."""
    flood = Flood(most=1)

    assert all(flood.filter(line("outreach_stream.agents")) for _ in range(5))
