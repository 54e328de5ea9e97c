"""When a recipient is tried again after a refusal that may pass."""

from collections.abc import Callable

from outreach_stream.domain.policy import Retry

LEAST = 0.1
"""Part of the backoff that is waited at least: full jitter would now and then try again at once."""
_DOUBLINGS = 60  # more would overflow, and none is that long


def later(retry: Retry, *, attempts: int, since: float, now: float, random: Callable[[], float]) -> float | None:
    """Seconds until the next attempt, after `attempts` that counted, the first at `since`; None: no more are made.

    Exponential with jitter: from a tenth of the backoff to all of it, whatever `random` (0 to 1) says. No attempt is
    made later than `retry.within` after the first: the last one is drawn forward to that moment, if not too far.
    """
    if attempts >= retry.attempts:
        return None
    backoff = min(retry.longest, retry.first * 2.0 ** min(max(attempts - 1, 0), _DOUBLINGS))
    left = since + retry.within - now
    if left <= 0 or left < LEAST * backoff:
        return None
    return min(left, backoff * (LEAST + (1 - LEAST) * random()))
