"""`outreach resume`."""

from outreach_stream.cli.order import PATIENCE, AsJson, Run, Timeout, Wait, order


def resume(run: Run, *, wait: Wait = False, timeout: Timeout = PATIENCE, as_json: AsJson = False) -> None:
    """Resume a run that was paused.

    A run that was cancelled cannot be resumed: replay it (`outreach replay RUN --status cancelled`).

    Exits when Kafka has the order for sure; with --wait when the run is not paused any more: 1 if time was up.
    """
    order("resume", run, wait=wait, timeout=timeout, as_json=as_json)
