"""`outreach cancel`."""

from outreach_stream.cli.order import PATIENCE, AsJson, Run, Timeout, Wait, order


def cancel(run: Run, *, wait: Wait = False, timeout: Timeout = PATIENCE, as_json: AsJson = False) -> None:
    """Cancel a run: whoever has not been mailed yet is not mailed any more.

    For good, and in every state before its end; each of them ends as `cancelled`. Mails on their way are not called
    back. To stop for a while: `outreach pause`.

    Exits when Kafka has the order for sure; with --wait when the run is CANCELLED: 1 if it ended otherwise first, or
    time was up.
    """
    order("cancel", run, wait=wait, timeout=timeout, as_json=as_json)
