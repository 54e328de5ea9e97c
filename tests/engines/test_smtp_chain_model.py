"""Any answers at all: coupled, each message ends as it does when it goes alone."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_stream.domain.outcomes import InDoubt, Transient
from tests.engines.chained import ANSWERS, Queue, Server, chained, lent

NAMES = st.lists(st.sampled_from(["fine"] * len(ANSWERS) + list(ANSWERS)), min_size=1, max_size=12)


async def sent(names: list[str], *, together: bool, pipelining: bool) -> tuple[list, list[str]]:
    """What came of each, and what the server has taken."""
    queue = Queue(*names)
    async with chained(server=Server(pipelining=pipelining)) as (engine, server):
        while len(queue.outcomes) < len(names):
            async with lent(engine) as connection:
                if together:
                    await connection.hand_over_all(queue)
                else:
                    queue.ended(await connection.hand_over(queue.next()))
        return queue.met, server.taken


def lost_with_it(names: list[str], met: list, i: int) -> bool:
    """Whether message `i` was begun on a connection that was lost before the answer to the one before it."""
    return i > 0 and names[i - 1] in ("dot-lost", "dot-nonsense") and met[i - 1][0] is InDoubt \
        and met[i] in [(Transient, f"mail_{why}") for why in ("connection_lost", "malformed_reply")]


@settings(max_examples=60, deadline=None)
@given(NAMES, st.booleans())
def test_each_ends_as_it_does_alone(names, pipelining):
    """Outcome by outcome and code by code; only who was begun on a connection that was lost may have to try again."""
    alone, _ = asyncio.run(sent(names, together=False, pipelining=pipelining))
    coupled, taken = asyncio.run(sent(names, together=True, pipelining=pipelining))
    differ = [i for i in range(len(names)) if alone[i] != coupled[i] and not lost_with_it(names, coupled, i)]
    assert not differ, [(names[i], alone[i], coupled[i]) for i in differ]
    assert len(taken) == sum(kind.__name__ == "Accepted" for kind, _ in coupled)
