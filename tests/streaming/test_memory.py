"""The collector of cycles: what was there at the start is left out, what comes later is still found."""

import gc
import weakref

from outreach_stream.streaming.memory import YOUNG, collect_rarely


def test_what_was_there_is_never_searched_again() -> None:
    """The collector leaves out all that was made before, and still finds a cycle that comes later."""
    class Node:
        other: "Node"

    threshold = gc.get_threshold()
    gone: list[bool] = []
    try:
        collect_rarely()
        node = Node()
        node.other = node
        weakref.finalize(node, gone.append, True)
        del node
        left_out, rarely = gc.get_freeze_count(), gc.get_threshold()[0]
        gc.collect()
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)

    assert left_out > 1_000
    assert rarely == YOUNG
    assert gone
