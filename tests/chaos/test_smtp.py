"""A mail server that misbehaves in every way it can: each recipient ends as the outcome table says, nothing hangs."""


async def test_every_way_of_failing_at_once(played):
    """Refused, cut off, silent, slow, half-read: the ends of the table, duplicates labelled, and all of it in time."""
    await played("SMTP server that fails in every way at once")


async def test_a_server_that_is_away_and_then_refuses_half(played):
    """While it refuses connections nothing is used up; what it accepts and refuses then is what the log says."""
    await played("SMTP server that refuses connections for a minute, then 550s half")
