"""The lease: valid, stale, lost."""

from time import monotonic

from outreach_stream.streaming.lease import Lease


def test_a_lease_is_lost_until_the_broker_lets_us_in() -> None:
    """Before the first accepted request nothing is ours."""
    lease = Lease(8.0)

    assert lease.lost()
    assert not lease.valid()


def test_an_accepted_heartbeat_renews() -> None:
    """Code 0 accepts; code 27 accepts too, while a rebalance begins."""
    lease = Lease(8.0)

    lease.heard(monotonic(), 27)

    assert lease.valid()


def test_the_time_of_asking_counts() -> None:
    """A reply that waited in the socket of a frozen process renews nothing: the lease is stale, not lost."""
    lease = Lease(8.0)

    lease.heard(monotonic() - 9.0, 0)

    assert not lease.valid()
    assert not lease.lost()


def test_a_coordinator_that_is_away_says_nothing() -> None:
    """Code 15, coordinator not available, neither renews nor ends the lease."""
    lease = Lease(8.0)
    lease.heard(monotonic(), 0)
    until = lease.until

    lease.heard(monotonic(), 15)

    assert until == lease.until


def test_being_expelled_ends_the_lease_at_once() -> None:
    """Illegal generation, unknown member, fenced instance: somebody else owns our partitions."""
    for code in (22, 25, 82):
        lease = Lease(8.0)
        lease.heard(monotonic(), 0)

        lease.heard(monotonic(), code)

        assert lease.lost(), code


def test_a_lease_that_we_ended_stays_ended() -> None:
    """A heartbeat's reply that comes after we have left the group renews nothing."""
    lease = Lease(8.0)
    lease.end()

    lease.heard(monotonic(), 0)

    assert lease.lost()
