"""One test mail through an engine: it takes the way of every other one, and says in words what came of it."""

import asyncio
import time
from functools import partial
from uuid import uuid4

from outreach_stream.domain.message import Mailbox, OutgoingMessage
from outreach_stream.domain.outcomes import (
    Accepted,
    Failure,
    InDoubt,
    MessageRejected,
    Outcome,
    RecipientRejected,
    SenderBlocked,
    Transient,
)
from outreach_stream.domain.ports import Engine, Finding
from outreach_stream.engines.config import EngineConfig
from outreach_stream.engines.preflight import of_failure
from outreach_stream.rendering.mime import MessageSkeleton
from outreach_stream.rendering.templates import Rendered

_ADVICE: dict[type[Failure], str] = {
    InDoubt: "It may have arrived all the same: look into the mailbox before you try again",
    RecipientRejected: "It refuses this recipient, which other recipients need not mind: try another with --to",
    MessageRejected: "It refuses this mail: try another sender with --from, or ask the provider what it minds",
    SenderBlocked: "It blocks us by a policy or our reputation: ask the provider, it names the rule",
}
"""What to do where the preflight's own advice is not about a mail."""


async def trial(engine: Engine, config: EngineConfig, sender: Mailbox, to: str, seconds: float) -> Finding:
    """Hand over one test mail, and say what came of it. The engine is closed by whoever made it.

    Waits for at most `seconds` for a connection, and as long again for the answer: a person is looking on.
    """
    message = test_mail(config.id, sender, to, time.time())
    try:
        async with asyncio.timeout(seconds):
            connection = await engine.acquire()
    except TimeoutError:
        return verdict(Transient("acquire_timeout", f"no connection within {seconds:g} s"), to)
    if isinstance(connection, Failure):
        return verdict(connection, to)
    try:
        async with asyncio.timeout(seconds):
            return verdict(await connection.hand_over(message), to, delivers=config.delivers)
    except TimeoutError:
        unanswered = InDoubt if connection.handed_over else Transient
        return verdict(unanswered("send_timeout", f"no answer within {seconds:g} s"), to)
    finally:
        engine.release(connection)


def verdict(outcome: Outcome, to: str, *, delivers: bool = True) -> Finding:
    """What came of the mail for `to`, and, if it was not taken, what to do."""
    if isinstance(outcome, Accepted):
        name = f" as {outcome.provider_message_id}" if outcome.provider_message_id else ""
        if not delivers:
            return Finding("mail", None, f"taken{name}, and nothing will arrive at {to}: as it is set up, this engine "
                                         "delivers nothing")
        return Finding("mail", True, f"taken{name}: look whether it arrives at {to}, and what its "
                                     "Authentication-Results say")
    for kind, advice in _ADVICE.items():
        if isinstance(outcome, kind):
            said = outcome.reason + (f": {outcome.detail.rstrip('. ')}" if outcome.detail else "")
            return Finding("mail", False, f"{said}. {advice}")
    return of_failure("mail", outcome)


def test_mail(engine: str, sender: Mailbox, to: str, now: float) -> OutgoingMessage:
    """A short mail in text and HTML that says what it is, under a Message-ID of its own; dated `now`."""
    skeleton = MessageSkeleton(sender)
    said = f"This is a test of engine {engine}, asked for with `outreach engine check`. It took the way of every mail."
    mail = skeleton.mail(Mailbox(to), Rendered(f"Test of engine {engine}", said + "\n", f"<p>{said}</p>\n"))
    identity = f"<check.{uuid4()}@{sender.email.rpartition('@')[2]}>"
    write = partial(skeleton.write, mail, message_id=identity, second=int(now))
    return OutgoingMessage(identity, sender.email, to, mail, write)
