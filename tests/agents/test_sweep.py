"""Which runs a sweep gives up: those long overdue of which nothing is heard any more."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError

from outreach_stream.agents.sweep import Sweep

NOW, PATIENCE = 1_790_000_000.0, 600.0


class Runs:
    """Stands for `Track` and its book: runs with their deadlines and numbers of ends."""

    def __init__(self):
        self.deadlines, self.ends, self.given_up, self.broker_away = {}, {}, [], False

    def book(self, partition):
        return self

    def overdue(self, before):
        return {run: self.ends[run] for run, at in self.deadlines.items() if at < before and run not in self.given_up}

    async def give_up(self, partition, run_ids):
        if self.broker_away:
            raise KafkaError
        self.given_up += run_ids


@pytest.fixture
def runs():
    return Runs()


@pytest.fixture
def lease():
    """Whether the partitions are certainly ours."""
    return SimpleNamespace(held=True)


@pytest.fixture
def look(runs, lease):
    """Looks so many times, and lets things happen between."""
    app = SimpleNamespace(lease=SimpleNamespace(valid=lambda: lease.held))
    sweep = Sweep(app, runs, patience=PATIENCE, clock=lambda: NOW)

    async def look(times, between=lambda: None):
        seen = {}
        for _ in range(times):
            seen = await sweep._look(3, seen)
            between()
        return runs.given_up
    return look


async def test_only_silent_runs_long_past_their_deadline_are_given_up(runs, look):
    """Not at the first look, when those who come back have not spoken yet; nor a run that has a deadline to come."""
    runs.deadlines = {"silent": NOW - PATIENCE - 1, "late": NOW - PATIENCE + 1, "speaking": NOW - PATIENCE - 1}
    runs.ends = {"silent": 7, "late": 0, "speaking": 0}

    def speak():
        runs.ends["speaking"] += 1

    assert await look(1, speak) == []
    assert await look(4, speak) == ["silent"]


async def test_nothing_is_given_up_without_the_lease_or_the_broker(runs, look, lease):
    """Then somebody else may know better, or nobody could be told; the next look tries again."""
    runs.deadlines, runs.ends = {"silent": NOW - PATIENCE - 1}, {"silent": 0}
    lease.held = False
    assert await look(3) == []
    lease.held, runs.broker_away = True, True
    assert await look(3) == []
    runs.broker_away = False
    assert await look(2) == ["silent"]
