"""`outreach engine check`: is an engine set up right? Asked of its provider, and tried with one mail."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from outreach_stream.catalog.snapshot import Catalog
from outreach_stream.cli.engine_trial import trial
from outreach_stream.cli.exits import CommandError, Exit
from outreach_stream.cli.process import command
from outreach_stream.cli.readable import Readable, readable
from outreach_stream.confidential import hide
from outreach_stream.domain.message import Mailbox
from outreach_stream.domain.outcomes import masked
from outreach_stream.domain.ports import Finding
from outreach_stream.engines import registry
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.preflight import Step  # noqa: TC001
from outreach_stream.values import check_address

LIMIT = 90.0
"""Seconds that one step may take, whatever the kind of engine: a person is looking on."""

RUNNING = ("Running workers keep the settings they started with: restart the senders after changing an engine's file "
           "beyond its limits.")

_NEEDED = {"settings", "connect", "tls", "login"}
"""Steps without which no mail can be handed over. A sender or a DKIM record that is wrong is better seen in a mail."""

MARKS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", "yellow")}  # noqa: RUF001 - a dash it is


def _address(given: str | None) -> str | None:
    try:
        return given and check_address(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def check(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this one; default: all.")] = None, *,
    to: Annotated[str | None, typer.Option(
        metavar="ADDRESS", callback=_address, help="Hand over one test mail for this address, too.")] = None,
    sender: Annotated[str | None, typer.Option(
        "--from", metavar="ADDRESS", callback=_address,
        help="Its sender; default: that of the first workflow that names the engine.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check an engine before it is used: settings, DNS, connection, TLS, login, quota and senders.

    Sends no mail unless --to says where; that mail takes the way of every other one, beside the engine's rate.
    Needs no Kafka. Exit code 0 if nothing is wrong, 1 if something is: it says what, and what to do.
    """
    known = readable(command())
    catalog, engines = known.catalog, _engines(known, name)
    senders = {engine.id: senders_of(catalog, engine.id, sender) for engine in engines}
    if to and (mute := [engine for engine, found in senders.items() if not found]):
        raise CommandError(f"No workflow names {', '.join(mute)}, so the test mail has no sender: say it with --from.",
                           Exit.USAGE)
    shown = Shown(as_json=as_json)

    async def show_all() -> None:
        for engine in engines:
            shown.engine(engine)
            async for finding in findings(engine, senders[engine.id], to):
                shown.finding(finding)

    with _interrupted_at_once():
        asyncio.run(show_all())
    shown.end()
    raise typer.Exit(Exit.FAILED if shown.bad or not (name or known.whole) else Exit.OK)


def senders_of(catalog: Catalog, engine: str, given: str | None = None) -> list[Mailbox]:
    """Who sends through the engine: the one that is given, else those of the workflows that name it, each once."""
    if given:
        return [Mailbox(given)]
    found: dict[str, Mailbox] = {}
    for workflow in catalog.workflows.values():
        if engine in workflow.engines:
            found.setdefault(workflow.sender.email, Mailbox(workflow.sender.email, workflow.sender.name))
    return list(found.values())


async def findings(config: EngineConfig, senders: Sequence[Mailbox], to: str | None) -> AsyncIterator[Finding]:
    """The engine's warnings, its preflight, and with `to` a test mail, if it can be handed over at all.

    Raises nothing: what is wrong with a kind of engine that came with another package is a finding, too.
    """
    step: Step = "settings"
    try:
        for warning in config.warnings:
            yield Finding(step, None, warning)
        bad, connected = set[str](), False
        async for finding in _each(registry.check(config, [each.email for each in senders])):
            step = finding.step
            bad |= {step} if finding.good is False else set()
            connected |= step == "connect" and finding.good is True
            if finding.text not in config.warnings:     # a kind may tell them itself, too
                yield finding
        step = "mail"
        if to and (bad & _NEEDED or ("dns" in bad and not connected)):    # it may be a DKIM record's
            yield Finding(step, None, "not tried: mend what is wrong first")
        elif to:
            engine = registry.build(config)
            yield await trial(engine, config, senders[0], to, LIMIT)
            async with asyncio.timeout(LIMIT):
                await engine.close()
    except TimeoutError:
        yield Finding(step, False, f"this, or what comes after it, takes more than {LIMIT:g} s: given up")
    except Exception as error:  # noqa: BLE001 - a foreign kind may raise anything
        yield Finding(step, False, f"kind {config.kind} has a fault of its own: "
                                   f"{masked(f'{type(error).__name__}: {error}')}. Tell whoever wrote it")


async def _each(found: AsyncIterator[Finding]) -> AsyncIterator[Finding]:
    """What is found, one after the other, waiting no longer than LIMIT for each; raises `TimeoutError`."""
    with suppress(StopAsyncIteration):
        while True:
            async with asyncio.timeout(LIMIT):
                finding = await anext(found)
            yield finding


class Shown:
    """Shows findings as they come, in colours on a terminal; as JSON all of them, when they are all there."""

    def __init__(self, *, as_json: bool, console: Console | None = None) -> None:
        self._json, self._console = as_json, console or Console(highlight=False, soft_wrap=True)
        self._engines: list[dict[str, Any]] = []
        self.bad = False

    def engine(self, config: EngineConfig) -> None:
        """What follows is about this one."""
        self._engines.append({"id": config.id, "kind": config.kind, "good": True, "findings": []})
        if not self._json:
            self._console.print(Text.assemble((config.id, "bold"), f" ({config.kind})"))

    def finding(self, finding: Finding) -> None:
        """One more. No secret that this process has read is shown, whoever quotes it."""
        finding = finding._replace(text=hide(finding.text))
        engine = self._engines[-1]
        engine["findings"].append(finding._asdict())
        if finding.good is False:
            self.bad, engine["good"] = True, False
        if not self._json:
            mark, style = MARKS[finding.good]
            self._console.print(Text.assemble("  ", (mark, style), f" {finding.step:<9}{finding.text}"))

    def end(self) -> None:
        """There is no more."""
        if not self._json:
            self._console.print(RUNNING)
        else:
            print(json.dumps(self._engines, indent=2, ensure_ascii=False))


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Ctrl-C ends the process there and then: a thread that waits for a name server would hold up anything gentler."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _engines(known: Readable, name: str | None) -> list[EngineConfig]:
    engines = known.catalog.engines
    if name is None:
        return [engines[each] for each in sorted(engines)]
    known.check_engine(name, Exit.USAGE)
    if name not in engines:
        raise CommandError(f"Engine {name} is not in what can be read of the catalog: mend that first, "
                           "`outreach catalog check` says all.", Exit.USAGE)
    return [engines[name]]
