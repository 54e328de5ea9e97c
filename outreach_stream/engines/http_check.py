"""The preflight of an HTTP engine up to the first question; the questions are the kind's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

from outreach_stream.domain.outcomes import Failure
from outreach_stream.domain.ports import Finding
from outreach_stream.engines.failures import network_failure
from outreach_stream.engines.http_config import HttpConfig
from outreach_stream.engines.http_connect import Ask, Dialler, Line
from outreach_stream.engines.preflight import Step, begins_in_clear, of_failure, reach, tls_finding
from outreach_stream.values import SecretRef

type Question = Callable[[Ask], AsyncIterator[Finding]]
"""Asks the provider, and says what it found. May raise what `Ask` does, and `UnresolvedReference`."""


async def preflight(config: HttpConfig, questions: Mapping[Step, Question]) -> AsyncIterator[Finding]:
    """Settings, DNS, connect, TLS, and then the questions in their order, each under its step.

    Ends after a bad finding of any step up to the login: the rest would be bad for the same reason. Raises nothing for
    what a network or a provider can do.
    """
    async for finding in _settings(config):
        yield finding
        if finding.good is False:
            return
    origin = config.origin()
    async for finding in reach(origin.host, origin.port, config.timeouts.connect):
        yield finding
        if finding.good is False:
            return
    line = Line(Dialler(config), config.timeouts.connect)
    try:
        asked: Mapping[Step, Question] = {"tls": lambda _: _tls(line, config.timeouts.connect), **questions}
        for step, question in asked.items():
            async for finding in _answers(step, question, line.ask):
                yield finding
                if finding.good is False and step in ("tls", "login"):
                    return
    finally:
        line.hang_up()


async def _settings(config: HttpConfig) -> AsyncIterator[Finding]:
    for warning in config.warnings:
        yield Finding("settings", None, warning)
    references = [value for _, value in config if isinstance(value, SecretRef)]
    try:
        where = config.origin().url
        for reference in references:
            await asyncio.to_thread(reference.resolve)
    except Exception as error:  # noqa: BLE001 - `network_failure` raises what it does not know
        yield _failed("settings", error)
        return
    secrets = " and ".join(map(str, references))
    yield Finding("settings", True, f"{where}, with {secrets}" if secrets else where)


async def _tls(line: Line, seconds: float) -> AsyncIterator[Finding]:
    async with asyncio.timeout(seconds):
        wire = await line.wire()
    if wire.tls:
        yield tls_finding(wire.tls)


async def _answers(step: Step, question: Question, ask: Ask) -> AsyncIterator[Finding]:
    try:
        async for finding in question(ask):
            yield finding
    except Exception as error:  # noqa: BLE001 - `network_failure` raises what it does not know
        yield _failed(step, error)


def _failed(step: Step, error: Exception) -> Finding:
    failure = network_failure(step, error, handed_over=False)
    assert isinstance(failure, Failure)
    return of_failure(step, failure, "The server does not begin with TLS: check scheme and port of base_url"
                      if begins_in_clear(failure) else None)
