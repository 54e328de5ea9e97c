"""kill -9 of any worker in mid-run, and its restart."""

import pytest

from .workers import ROLES

LATER = dict.fromkeys(("aggregator", "dispatcher"), pytest.mark.long)   # they die with the others as well, below


@pytest.mark.parametrize("role", [pytest.param(role, marks=LATER.get(role, ())) for role in ROLES])
async def test_a_killed_worker_loses_nobody(played, role):
    """Every recipient ends, none is missing, and what is mailed twice was on a dead sender's wire and is labelled."""
    await played(f"kill -9 of the {role}")


async def test_workers_killed_at_once_and_again(played):
    """The same when all of them are killed together, twice."""
    await played("kill -9 of all at once, twice")


@pytest.mark.long
async def test_workers_killed_again_and_again(played):
    """The same when one is killed, or all, as soon as they have come back."""
    await played("kill -9 every 3 s for a minute")


async def test_in_doubt_held_is_never_mailed_twice(played):
    """With `in_doubt: hold` a dead sender's mails end in doubt."""
    await played("kill -9 of the sender, in doubt: hold")


async def test_a_deploy_repeats_nothing_and_leaves_no_doubt(played):
    """SIGTERM of every worker in mid-run, and a restart: no duplicate, and none that might be one."""
    await played("SIGTERM of all, and a restart")


async def test_what_had_no_worker_ends_past_its_deadline(played):
    """The unsent expire; whoever may have been mailed does not."""
    await played("all killed until the deadline has passed")


@pytest.mark.parametrize("fate", ["a cancel", pytest.param("550 for half", marks=pytest.mark.long)])
async def test_what_may_have_been_mailed_is_never_denied(played, fate):
    """Killed after the mail and before its record, then cancelled or refused: labelled or in doubt, nothing else."""
    await played(f"kill -9 of the sender, then {fate}")
