"""The command line: `outreach COMMAND`. One file per command; this one is their table of contents."""

import sys
from typing import Annotated

import typer

from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.lazy import Lazy, lazy_app

_START, _RUNS, _SERVICES = "Start here", "Runs", "Services"
_TROUBLE, _SETUP = "When something is wrong", "Set up and check"

COMMANDS = {
    "demo": Lazy(_START, "Show the whole flow on this machine, with a broker, a database and an inbox of its own.",
                 "demo:demo"),
    "trigger": Lazy(_RUNS, "Start a run of a workflow, once for each slot or key.", "trigger:trigger"),
    "watch": Lazy(_RUNS, "Follow a run until it has ended and its log is written.", "watch:watch"),
    "cancel": Lazy(_RUNS, "Cancel a run: whoever has not been mailed yet is not mailed any more.", "cancel:cancel"),
    "pause": Lazy(_RUNS, "Pause a run: nobody of it is mailed until it is resumed.", "pause:pause"),
    "resume": Lazy(_RUNS, "Resume a run that was paused.", "resume:resume"),
    "replay": Lazy(_RUNS, "Mail some recipients of an ended run, by how they ended, as a run of its own.",
                   "replay:replay"),
    "worker": Lazy(_SERVICES, "Work in one or more roles, until Ctrl-C or SIGTERM.", "worker:worker"),
    "gateway": Lazy(_SERVICES, "Serve the HTTP API: trigger runs and look at them.", "gateway:gateway"),
    "ticker": Lazy(_SERVICES, "Trigger what schedules say, once for each slot, until Ctrl-C or SIGTERM.",
                   "ticker:ticker"),
    "broker": Lazy(_SERVICES, "Run a real Kafka of one node in the foreground, until Ctrl-C.", "broker:broker"),
    "doctor": Lazy(_TROUBLE, "Look at everything that can be wrong here, and say what to do about it.",
                   "doctor:doctor"),
    "engine": Lazy(_TROUBLE, "Check engines, show which take mail, stop one, let one go on.", "engine:app"),
    "events": Lazy(_TROUBLE, "Print what goes over the topics, decoded.", "events:app"),
    "dead-letters": Lazy(_TROUBLE, "List, show and put back records that could not be read.", "dead_letters:app"),
    "schedule": Lazy(_SETUP, "Show the catalog's schedules, and when they trigger next.", "schedule:app"),
    "recipients": Lazy(_SETUP, "Show whom a workflow would mail now, and who is left out, and why.",
                       "recipients:recipients"),
    "token": Lazy(_SETUP, "Give others access to the gateway: create API tokens, list them.", "token:app"),
    "topics": Lazy(_SETUP, "Create, check and list the topics.", "topics:app"),
    "bench": Lazy(_SETUP, "Measure on this machine: recipients a second from trigger to sink, and what each costs.",
                  "bench:bench"),
    "catalog": Lazy(_SETUP, "Check the catalog of workflows, templates and engines.", "catalog:app"),
}
"""Every command, in the order of the help."""

app = lazy_app(COMMANDS, help="E-mail outreach as a stream: no recipient lost, no silent duplicate, never above the "
                              "limit.\n\nSettings are read from the environment (OUTREACH_…, see README). Exit codes: "
                              "0 done, 1 failed, 2 wrong usage or setting, 3 no broker.")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - `outreach --help` does not need it

        print(f"outreach-stream {version('outreach-stream')}")
        raise typer.Exit


@app.callback()
def outreach(
    *, version: Annotated[bool, typer.Option(
        "--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """What is said before the command."""


def main() -> None:
    """The console script. Never raises for what a person can mend: says it, and exits with its code."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - what it does not know it raises again
        message, code = _explained(error)
        print(message, file=sys.stderr)
        sys.exit(code)


def _explained(error: Exception) -> tuple[str, Exit]:
    """What to say of `error`, and the exit code; raises it again if it is none of a person's business."""
    from pydantic import ValidationError  # noqa: PLC0415 - `outreach --help` needs neither of these

    from outreach_stream.broker.errors import AccessSettingError, BrokerError  # noqa: PLC0415
    from outreach_stream.catalog.snapshot import CatalogErrors  # noqa: PLC0415
    from outreach_stream.values import UnresolvedReference  # noqa: PLC0415

    if isinstance(error, CommandError):
        return str(error), error.code
    if isinstance(error, AccessSettingError):
        return str(error), Exit.USAGE
    if isinstance(error, BrokerError):
        return str(error), Exit.BROKER_AWAY
    if isinstance(error, UnresolvedReference):
        return f"A secret cannot be read: {error}.", Exit.USAGE
    if isinstance(error, CatalogErrors):
        return "\n".join(["The catalog cannot be used:", *(f"  {problem}" for problem in error.problems)]), Exit.USAGE
    if isinstance(error, ValidationError) and error.title == "Settings":
        wrong = [f"  OUTREACH_{'_'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in error.errors()]
        return "\n".join(["The environment has settings that cannot be used:", *wrong]), Exit.USAGE
    raise error
