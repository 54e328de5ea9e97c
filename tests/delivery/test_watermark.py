"""What a process says before it sends, against a model that remembers every single hand-over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.delivery.watermark import Watermark, maybe_sent

OFFSETS = st.integers(0, 30)
BLOCKS = st.sets(OFFSETS, max_size=6)
STEPS = st.lists(st.tuples(st.sampled_from(["advance", "release"]), BLOCKS), max_size=12)


@given(STEPS)
def test_a_request_that_may_be_out_is_covered(steps: list[tuple[str, set[int]]]) -> None:
    """Whatever the order: what a block announced is covered until a release says that it was not handed over."""
    watermark, announced = Watermark(), set()
    for step, offsets in steps:
        if step == "advance":
            watermark, announced = watermark.advanced(offsets), announced | offsets
        else:
            watermark, announced = watermark.released(offsets, finished=0), announced - offsets
        assert all(watermark.covers(offset) for offset in announced)


@given(STEPS, st.integers(0, 40))
def test_nothing_at_or_above_the_highest_block_is_covered(steps: list[tuple[str, set[int]]], offset: int) -> None:
    """Certainly not sent: what lies above everything announced."""
    watermark = Watermark()
    for step, offsets in steps:
        watermark = watermark.advanced(offsets) if step == "advance" else watermark.released(offsets, finished=0)
    highest = max((max(offsets) for step, offsets in steps if step == "advance" and offsets), default=-1)
    assert watermark.covers(offset) <= (offset <= highest)


@given(BLOCKS, BLOCKS, st.integers(0, 30))
def test_what_is_released_is_spared_and_what_is_finished_is_forgotten(
        block: set[int], given_back: set[int], finished: int) -> None:
    """After a clean release exactly the offsets given back are free of doubt, without growing for ever."""
    watermark = Watermark().advanced(block).released(given_back, finished)
    for offset in given_back:
        if offset >= finished:
            assert not watermark.covers(offset)
    assert all(finished <= offset < watermark.upto for offset in watermark.spared)


@given(STEPS)
def test_the_bytes_say_the_same(steps: list[tuple[str, set[int]]]) -> None:
    """Encoded and decoded, it is the same word."""
    watermark = Watermark()
    for step, offsets in steps:
        watermark = watermark.advanced(offsets) if step == "advance" else watermark.released(offsets, finished=3)
    assert Watermark.decode(watermark.encode()) == watermark


@pytest.mark.parametrize(("first", "second", "doubt"), [
    (Watermark(10), Watermark(0), True),
    (Watermark(10, frozenset({5})), Watermark(0), False),
    (Watermark(10, frozenset({5})), Watermark(6), True),
    (Watermark(5), Watermark(5), False),
])
def test_one_writer_is_enough_for_doubt(first: Watermark, second: Watermark, doubt: bool) -> None:
    """A writer that spared an offset speaks for itself only."""
    assert maybe_sent(5, [first, second]) is doubt
