"""`kind: memory`: a rehearsal that says it sends nothing, and does not grow."""

from outreach_stream.domain.outcomes import Accepted
from outreach_stream.engines import registry
from tests.messages import raw

CONFIG = registry.engine_from({"id": "rehearsal", "kind": "memory", "concurrency": 2})


async def test_it_takes_everything_and_keeps_nothing():
    """Each mail is accepted under its own name; after a thousand there is as much in memory as after none."""
    engine = registry.build(CONFIG)
    connection = await engine.acquire()
    for number in range(1_000):
        outcome = await connection.hand_over(raw(f"<{number}@s.example>", "n@s.example", "r@r.example"))
        assert outcome == Accepted(f"<{number}@s.example>")
    engine.release(connection)
    await engine.close()
    assert (engine.sent, engine.attempts) == ([], [])


async def test_it_says_that_it_sends_nothing():
    """At every start and check, and its preflight finds nothing good to tell."""
    assert len(CONFIG.warnings) == 1
    assert "sends nothing" in CONFIG.warnings[0]
    found = [each async for each in registry.check(CONFIG, ["n@s.example"])]
    assert [(each.step, each.good, each.text) for each in found] == [("settings", None, CONFIG.warnings[0])]
