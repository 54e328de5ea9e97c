"""What a run's owner is told before its first mail: whether its deadline can be kept."""

from collections.abc import Sequence

from outreach_stream.domain.chunks import DueChunks


def too_late(due: Sequence[DueChunks], deadline: float) -> str | None:
    """Recipients who become due after the deadline; None: there are none."""
    count = sum(group.recipients for group in due if group.at >= deadline)
    return f"{count:,} recipients become due after the deadline, and will expire" if count else None


def too_slow(total: int, due: Sequence[DueChunks], rate: float | None, now: float, deadline: float) -> str | None:
    """Whether the engine's rate is too low for those who are due in time; `due` empty: all at once. None: it is not."""
    if rate is None:
        return None
    if not due:
        return None if total / rate <= deadline - now else (
            f"{total:,} recipients take {total / rate:,.0f} s at {rate:g} mails a second, "
            f"but the deadline is in {max(deadline - now, 0):,.0f} s: the rest will expire")
    done, count = now, 0
    for group in due:
        if group.at < deadline:
            done, count = max(done, group.at) + group.recipients / rate, count + group.recipients
    if done <= deadline:
        return None
    return (f"{count:,} recipients, each from their own time on, take until {done - deadline:,.0f} s after the "
            f"deadline at {rate:g} mails a second: the rest will expire")
