"""The sent record, what is put off and the orders, against a model that knows what the provider really got."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from outreach_stream.domain.control import EngineFuse, RunOrder, Subject
from outreach_stream.domain.message import OutgoingMessage
from outreach_stream.domain.outcomes import Accepted, EngineStopped, InDoubt, RecipientRejected, Transient
from outreach_stream.domain.policy import Policy, Retry, WhenInDoubt
from outreach_stream.domain.states import SENDING_ENDS, RecipientStatus
from outreach_stream.engines.memory import Answer

from .conftest import BULK, EXPRESS, NOW, FakeBatch, World, request
from .simulated import SimulatedLoop

ANSWERS = {
    "accepts": Answer(Accepted("1"), after=0.001), "defers": Answer(Transient("busy"), after=0.001),
    "refuses": RecipientRejected("no"), "loses": InDoubt("lost"), "hangs": Answer(Accepted("1"), after=1e9),
    "stops": EngineStopped("key")}
MAY_ARRIVE = {"accepts", "loses", "hangs"}
DEADLINE = NOW + 3_000
RUNS, ENGINE = ("one", "two"), Subject("engine", "e")
MOMENTS = st.sampled_from([0.0, 0.0005, 0.0015, 0.0025, 0.0035, 0.005, 9.0])
"""Seconds into what goes on after some time has passed; after the last, nothing goes on any more."""
INDEXES = st.integers(0, 5)


class Sending(RuleBasedStateMachine):
    """A few recipients of two runs in one lane; processes come, go and die."""

    def __init__(self) -> None:
        super().__init__()
        self.loop, self.world = SimulatedLoop(), World()
        self.world.engine.script = self.answer
        self.log: list[Any] = []                    # the lane's requests, by offset
        self.batches: dict[int, FakeBatch] = {}     # those that were delivered in this assignment, likewise
        self.committed = 0
        self.answers: dict[int, str] = {}
        self.attempts: defaultdict[int, list[str]] = defaultdict(list)
        self.doubtful: set[int] = set()             # may have been on the wire when a process went
        self.covered: set[int] = set()              # … for all that the process said before it died
        self.still: dict[int, int] = {}             # attempts at those that must not be mailed now
        self.halted, self.cancelled = set[str](), set[str]()

    @initialize(in_doubt=st.sampled_from(["resend", "hold"]), topic=st.sampled_from([BULK, EXPRESS]),
                places=st.integers(1, 4))
    def begins(self, in_doubt: WhenInDoubt, topic: str, places: int) -> None:
        """The workflow's policy does not change."""
        self.topic, self.world.places, self.in_doubt = topic, places, in_doubt
        self.world.policy = Policy(Retry(attempts=4, within=1_500, first=30, longest=200), in_doubt=in_doubt)
        self.do(self.start)

    # --- what happens ---
    @rule(index=INDEXES, answer=st.sampled_from(sorted(ANSWERS)))
    def is_requested(self, index: int, answer: str) -> None:
        """Perhaps not for the first time; the provider answers so from now on."""
        self.answers[index] = answer
        self.log.append(request(index, run_id=RUNS[index // 3], deadline=DEADLINE))
        self.do(self.read, len(self.log) - 1)
        self.settle()

    @rule(index=INDEXES, answer=st.sampled_from(["accepts", "accepts", "defers", "hangs"]))
    def will_be_answered(self, index: int, answer: str) -> None:
        """When it is tried again."""
        self.answers[index] = answer

    @rule(seconds=st.sampled_from([10.0, 40.0, 250.0]))
    def time_passes(self, seconds: float) -> None:
        """Something may be due."""
        self.do(self.sender.passes, seconds)
        self.settle()

    @rule(what=st.sampled_from([*RUNS, "e"]), on=st.booleans())
    def is_halted(self, what: str, on: bool) -> None:
        """A run paused or the engine stopped by an operator; or resumed."""
        self.halt(what, on=on)
        self.settle()

    @rule(run=st.sampled_from(RUNS), really=st.integers(0, 3))
    def is_cancelled(self, run: str, really: int) -> None:
        """For good, thus seldom."""
        if not really:
            self.cancelled.add(run)
            self.do(self.sender.order, Subject("run", run), "cancel", RunOrder(at=NOW))
            self.settle()

    @rule(lag=st.floats(0, 1), moment=MOMENTS)
    def is_killed(self, lag: float, moment: float) -> None:
        """In the middle of something; the commit lags behind."""
        self.do(self.sender.passes, 40.0)
        self.loop.advance(moment)
        self.die(lag, settled=moment > 1)
        self.settle()

    @rule(same=st.booleans(), moment=MOMENTS)
    def leaves(self, same: bool, moment: float) -> None:
        """Cleanly, but for what hangs."""
        self.do(self.sender.passes, 40.0)
        self.loop.advance(moment)
        self.loop.run_until_complete(self.sender.drain(limit=2.0))
        self.committed = self.finished()
        self.doubtful |= self.hanging()
        self.covered |= self.hanging()
        if same:
            self.do(self.sender.floor.assigned, {0})
            self.do(self.read_all)
        else:
            self.loop.run_until_complete(self.sender.crash())
            self.do(self.start)
        self.settle()

    def teardown(self) -> None:
        """In the end all goes well, and everybody has an end."""
        try:
            if hasattr(self, "sender"):
                self.all_goes_well()
        finally:
            self.loop.end()

    def all_goes_well(self) -> None:
        self.answers.clear()
        self.die(0.0, settled=True)
        for what in (*RUNS, "e"):
            self.halt(what, on=False)
        for _ in range(4):
            self.do(self.sender.passes, 1_000.0)
            self.settle()
        assert {asked.index for asked in self.log} == self.ended()
        assert self.sender.put_off() == {}
        assert self.finished() == len(self.log)
        assert all(desk.places.free == desk.size for desk in self.sender.floor._desks.values())

    # --- how it is done ---
    def answer(self, message: OutgoingMessage) -> Any:
        index = int(message.message_id.rsplit(":", 1)[1])
        kind = self.answers.get(index, "accepts")
        self.attempts[index].append(kind)
        return ANSWERS[kind]

    def do(self, what: Callable[..., object], *args: object) -> None:
        async def doing() -> None:
            what(*args)
        self.loop.run_until_complete(doing())

    def start(self) -> None:
        self.sender = self.world.sender()
        self.read_all()

    def read_all(self) -> None:
        self.batches = {}
        for offset in range(self.committed, len(self.log)):
            self.read(offset)

    def read(self, offset: int) -> None:
        self.batches[offset] = self.sender.put(self.log[offset], start=offset, topic=self.topic)

    def halt(self, what: str, *, on: bool) -> None:
        if what == "e":
            self.do(self.sender.order, ENGINE, "fuse", EngineFuse(reason="key", at=NOW) if on else None)
        else:
            self.do(self.sender.order, Subject("run", what), "pause", RunOrder(at=NOW) if on else None)
        (self.halted.add if on else self.halted.discard)(what)
        if not on:
            self.still = {index: tried for index, tried in self.still.items() if index in self.ended()}

    def die(self, lag: float, *, settled: bool) -> None:
        unended = {asked.index for asked in self.log} - self.ended()
        self.doubtful |= self.hanging() if settled else unended
        self.covered |= unended
        done = self.finished()
        self.loop.run_until_complete(self.sender.crash())
        self.committed += int((done - self.committed) * (1 - lag))
        self.do(self.start)

    def finished(self) -> int:
        return next((offset for offset, batch in self.batches.items() if batch.states != ["done"]), len(self.log))

    def hanging(self) -> set[int]:
        return {index for index, kinds in self.attempts.items() if kinds[-1:] == ["hangs"]} - self.ended()

    def ended(self) -> set[int]:
        return {result.index for sender in self.world.senders for result in sender.results}

    # --- what must hold ---
    def settle(self) -> None:
        """Let happen what can, and look."""
        self.loop.advance(9.0)
        if self.sender.told and "e" not in self.halted:
            self.halt("e", on=True)  # as `control` says it then
            self.sender.told.clear()
            self.loop.advance(9.0)
        self.sender.check()
        over = self.halted | self.cancelled
        stopped = {index for index in range(6) if "e" in over or RUNS[index // 3] in over}
        for index, tried in self.still.items():
            if index in stopped | self.ended():
                assert len(self.attempts[index]) == tried
        self.still = {index: len(self.attempts[index]) for index in stopped | self.ended()}
        for index in self.ended():
            self.check_end(index)

    def check_end(self, index: int) -> None:
        """What is said of a recipient is true of what the provider got."""
        results = self.world.results(index)
        end = min((result.status for result in results), key=SENDING_ENDS.index)
        labelled = any(result.possible_duplicate for result in results)
        arrived = sum(kind in MAY_ARRIVE for kind in self.attempts[index])
        lost = index in self.doubtful or "loses" in self.attempts[index]
        if end is RecipientStatus.SENT:
            assert arrived
        elif end is RecipientStatus.IN_DOUBT:
            assert lost or (self.in_doubt == "resend" and index in self.covered)
        else:
            assert not arrived
        if arrived > 1:
            assert labelled
            assert self.in_doubt == "resend"
        if labelled:
            assert lost or (self.in_doubt == "resend" and index in self.covered)


Sending.TestCase.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
TestSending = Sending.TestCase
TestSending.__doc__ = "Nobody is lost, mailed twice unlabelled or where that is held, or doubted without cause."


def test_who_waits_for_a_place_again_is_not_held_for_that() -> None:
    """Deferred, and behind one that hangs when the process dies: nothing of it was on the wire, so it is mailed."""
    sending = Sending()
    sending.begins(in_doubt="hold", topic=BULK, places=1)
    sending.is_halted("e", on=True)
    sending.is_requested(0, "defers")
    sending.is_requested(1, "hangs")
    sending.is_halted("e", on=False)
    tried = {index: list(kinds) for index, kinds in sending.attempts.items() if kinds}
    sending.teardown()      # checks everybody's end

    assert tried == {0: ["defers"], 1: ["hangs"]}
    assert [result.status for result in sending.world.results(0)] == [RecipientStatus.SENT]
