"""Which plan counts."""

from hypothesis import given
from hypothesis import strategies as st

from outreach_stream.dispatch.plans import PlanEntry, merged

entries = st.builds(PlanEntry, st.integers(0, 3), st.integers(0, 5), st.integers(0, 1023), st.booleans())


def test_the_earliest_plan_wins_however_far_another_got() -> None:
    """What a process noted of a later plan does not touch the first one's cursor."""
    assert merged([PlanEntry(7, 9, 9, finished=True), PlanEntry(3, 1, 5), PlanEntry(3, 1, 2)]) == PlanEntry(3, 1, 5)


def test_nothing_noted() -> None:
    """No copies, no plan."""
    assert merged([]) is None


@given(st.lists(entries, min_size=1), st.randoms())
def test_the_order_of_copies_does_not_matter(copies: list[PlanEntry], random) -> None:
    """Copies of any writers, in any order, also merged in parts, say the same."""
    shuffled = random.sample(copies, len(copies))
    middle = len(copies) // 2
    parts = [entry for entry in (merged(shuffled[:middle]), merged(shuffled[middle:])) if entry]

    assert merged(shuffled) == merged(copies) == merged(parts)


@given(entries)
def test_entries_are_read_as_written(entry: PlanEntry) -> None:
    """Encoding loses nothing."""
    assert PlanEntry.decode(entry.encode()) == entry
