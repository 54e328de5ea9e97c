"""Folders that disappear, or cannot be written."""


async def test_state_that_is_gone_after_a_stop_costs_nothing(played):
    """The changelogs have it all: no duplicate, no doubt."""
    await played("state folders deleted after a clean stop")


async def test_state_that_is_gone_after_a_kill_costs_no_more_than_the_kill(played):
    """What was on the wire may be mailed again, labelled."""
    await played("state folders deleted after kill -9")


async def test_a_log_is_written_when_it_can_be(played):
    """An output folder that cannot be written at the end of a run loses nothing."""
    await played("the output folder cannot be written at the end")
