"""Small and urgent runs overtake bulk of the same engine."""

import asyncio

from outreach_stream.domain.triggers import InlineRecipient


async def test_express_overtakes_bulk_of_the_same_engine(system):
    """A bulk run that takes the whole of a slow engine's rate for a minute: single mails pass it within two seconds."""
    running = await system(rate=20, concurrency=5)
    running.people(1_200)
    running.start()
    await running.trigger()
    await running.until_sent(60)

    latencies = []
    for i in range(8):
        asked = asyncio.get_running_loop().time()
        email = f"urgent{i}@example.com"
        await running.trigger(recipients=[InlineRecipient(email=email, name="U", city="Ulm")])
        await running.until(lambda email=email: email in running.record.read_text(), 20, lambda: "not there")
        latencies.append(asyncio.get_running_loop().time() - asked)
    moments = sorted(mail.at for mail in running.arrived().mails())

    assert sorted(latencies)[len(latencies) // 2] < 2, latencies
    assert max(sum(at <= other < at + 1 for other in moments) for at in moments) <= 22, "never above the rate and burst"
