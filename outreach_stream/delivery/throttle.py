"""How fast an engine is used after its provider said "too fast": half as fast, and then little by little as before.

Pure functions of the order that all processes share (`domain.control`), so that all of them keep the same pace.
Additive up, multiplicative down: what TCP does, for the same reason (RFC 5681).
"""

from outreach_stream.domain.control import EngineThrottle

LEAST_FACTOR = 0.05
"""Of the full rate: an engine that goes on throttling is still tried."""
CLIMB = 0.01
"""Of the full rate, regained each second after the pause."""
UNTOLD_SECONDS = 5.0
"""The pause when the provider did not say how long."""
LONGEST_PAUSE = 300.0
"""Seconds; who asks for a longer pause is asked again after this one."""
IN_FLIGHT_SECONDS = 1.0
"""How long ago an attempt began of which only the end is known."""
NOTABLY = 0.1
"""A pause is made longer for this part of what is asked for, and for a second at least: each change is a record."""


def asked_pause(retry_after: float | None) -> float:
    """Seconds to wait for a provider that asked for so many, or (None) did not say."""
    return UNTOLD_SECONDS if retry_after is None else min(max(retry_after, 0.0), LONGEST_PAUSE)


def factor_at(throttle: EngineThrottle | None, now: float) -> float:
    """The part of the engine's rate to be used; None: nothing was ever asked for. Times in seconds since the epoch."""
    if throttle is None:
        return 1.0
    return min(1.0, throttle.factor + CLIMB * max(0.0, now - throttle.until))


def throttled(previous: EngineThrottle | None, retry_after: float | None, reason: str, now: float,
              began: float | None = None) -> EngineThrottle | None:
    """The order that follows a throttled attempt; None: the one in force says it already.

    `began`: when the attempt was handed over; None: unknown. One that began before the pause in force had ended was
    in flight when we were told, or went out where that was not known yet: it is no reason to slow down further, but
    may ask for a longer pause.
    """
    pause = asked_pause(retry_after)
    began = now - IN_FLIGHT_SECONDS if began is None else began
    if previous is None or began >= previous.until:
        factor = max(LEAST_FACTOR, factor_at(previous, now) / 2)
        return EngineThrottle(until=now + pause, factor=factor, reason=reason, at=now)
    if retry_after is None or now + pause < previous.until + max(1.0, NOTABLY * pause):
        return None
    return EngineThrottle(until=now + pause, factor=previous.factor, reason=reason, at=now)
