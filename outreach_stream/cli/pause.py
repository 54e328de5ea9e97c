"""`outreach pause`."""

from outreach_stream.cli.order import PATIENCE, AsJson, Run, Timeout, Wait, order


def pause(run: Run, *, wait: Wait = False, timeout: Timeout = PATIENCE, as_json: AsJson = False) -> None:
    """Pause a run: nobody of it is mailed until it is resumed.

    Its deadline goes on: whoever has not been mailed when it passes ends as `expired`. A run that is still being
    planned is planned to its end, and then waits. `outreach resume` goes on.

    Exits when Kafka has the order for sure; with --wait when the run is paused: 1 if it ended first, or time was up.
    """
    order("pause", run, wait=wait, timeout=timeout, as_json=as_json)
