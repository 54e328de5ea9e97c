from outreach_stream.domain.outcomes import EngineStopped
from outreach_stream.engines.memory import MemoryEngine
from outreach_stream.engines.missing import MissingEngine


async def test_an_engine_that_comes_later_is_used_without_a_restart():
    """Until the catalog has it every attempt is refused and says why; then it connects like any other."""
    here, engine = [], MemoryEngine()
    missing = MissingEngine("relay", lambda: here[0] if here else None)
    refused = await missing.acquire()
    here.append(engine)
    connection = await missing.acquire()
    missing.release(connection)
    await missing.close()

    assert isinstance(refused, EngineStopped) and "relay" in refused.detail
    assert not isinstance(connection, EngineStopped)
