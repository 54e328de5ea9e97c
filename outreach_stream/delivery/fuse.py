"""When an engine is to stop: the same refusal for everybody is not the recipients' fault."""

from outreach_stream.domain.outcomes import Accepted, Outcome

FED_LIMIT = 10
"""Blocks in a row: a few are bad luck."""


class Fuse:
    """Feels what comes of one engine's attempts in this process."""

    def __init__(self) -> None:
        self._fed = 0

    def feel(self, outcome: Outcome) -> str | None:
        """Why the engine is to stop, in one line without an address; None: it may go on.

        At once for what nobody's mail can pass; after `FED_LIMIT` blocks with no mail accepted between them. Says it
        once, and then begins anew.
        """
        if isinstance(outcome, Accepted):
            self.reset()
            return None
        self._fed += outcome.fuse == "fed"
        if outcome.fuse != "tripped" and self._fed < FED_LIMIT:
            return None
        self.reset()
        return f"{outcome.reason}: {outcome.detail}" if outcome.detail else outcome.reason

    def reset(self) -> None:
        """Begin anew: an operator resumed the engine."""
        self._fed = 0
