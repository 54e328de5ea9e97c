"""`outreach demo`: the whole flow on a bare machine, with an inbox that truly receives."""

import asyncio
import json
import sys
import webbrowser
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from outreach_stream.cli.demo.engines import DemoEngine
from outreach_stream.cli.demo.show import Demo
from outreach_stream.cli.demo.verdict import Verdict
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.signals import INTERRUPTED, on_stop


def demo(
    recipients: Annotated[int, typer.Option(min=1, max=10_000_000, help="People in the example database.")] = 1_000,
    engine: Annotated[DemoEngine, typer.Option(help="What it sends through, to a stand-in on this machine.")] = (
        DemoEngine.SMTP),
    as_json: Annotated[bool, typer.Option(
        "--json", help="Print one JSON object as the last line of standard output; all else goes to standard error.",
    )] = False,
    keep_running: Annotated[bool, typer.Option(
        "--keep-running", help="Leave everything running after the result, until Ctrl-C, with two schedules and an "
                               "engine in trouble to look at.")] = False,
    open_page: Annotated[bool, typer.Option(
        "--open", help="Keep it running, and open the dashboard in the browser.")] = False,
) -> None:
    """Show the whole flow on this machine, with a broker, a database and an inbox of its own.

    It starts Kafka, all roles, the gateway and a local mail server that receives over real SMTP, or over a provider's
    HTTP API (it refuses about one address in a hundred for good, and defers another one once), triggers a run over
    HTTP, follows it, and compares what the inbox received with what the run's log says. Only the log, in
    OUTREACH_OUTPUT, is left behind.
    Exit code 0: every recipient has a final state, and those marked sent are those who have mail.
    """
    settings, console = command(), Console(stderr=as_json, highlight=False, soft_wrap=True)
    stays = keep_running or open_page
    show = Demo(settings, console, recipients, engine, stays=stays)
    code = asyncio.run(_interruptible(show, as_json=as_json, stays=stays, open_page=open_page))
    sys.exit(code)


async def _interruptible(show: Demo, *, as_json: bool, stays: bool, open_page: bool) -> int:
    """Run the demo; a first Ctrl-C ends it in order, a second one kills what is still ending."""
    working = asyncio.create_task(_show(show, as_json=as_json, stays=stays, open_page=open_page))

    def stop() -> None:
        if not working.cancelling():
            show.console.print("\nStopping …")
            working.cancel()
        else:
            show.kill()

    on_stop(stop)
    with suppress(asyncio.CancelledError):
        return await working
    return INTERRUPTED


async def _show(show: Demo, *, as_json: bool, stays: bool, open_page: bool) -> int:
    async with show.running():
        verdict = await show.play()
        if as_json:
            print(json.dumps(verdict.as_json()), flush=True)
        if stays:
            await show.go_on()
            opened = open_page and await asyncio.to_thread(webbrowser.open, show.url)
            show.console.print(f"Everything is still running; the dashboard is at {show.url}/"
                               f"{' and in your browser' if opened else ''}. Ctrl-C ends it.")
            await asyncio.Event().wait()
    return _code(verdict)


def _code(verdict: Verdict) -> Exit:
    if verdict.problems:
        raise CommandError("\n".join(["The demo did not end as it must:", *(f"  {each}" for each in verdict.problems)]))
    return Exit.OK
