"""Microseconds per message: the standard library's EmailMessage, and our skeleton. `python benchmarks/mime.py`."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from itertools import cycle
from pathlib import Path
from statistics import median

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.spec import WorkflowSpec, freeze
from outreach_stream.cli.bench.stage import COLUMNS, person
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.message import File, Mailbox, OutgoingMessage
from outreach_stream.domain.ports import Unrenderable
from outreach_stream.recipients.intake import Recipient
from outreach_stream.rendering.composer import SpecComposer
from outreach_stream.rendering.mime import MessageSkeleton, skeleton_of
from outreach_stream.rendering.plain import plain_text
from outreach_stream.rendering.templates import compile_spec

CATALOG = Path(__file__).parents[1] / "examples" / "catalog"
ADA = Recipient("ada@example.org", "Ada Lovelace", {
    "city": "Bath", "favourites": "Lavender, Sage, Crème brûlée iris", "loyalty_years": 4, "unsubscribe_token": "x1y2",
})
MESSAGE_ID, DATE = "<run.0.1@hazel.example.com>", datetime(2026, 3, 1, tzinfo=UTC)
SECOND = int(DATE.timestamp())
GROUP = 32
"""Mails that a sender composes at once."""


def microseconds(make: Callable[[], object], times: int) -> float:
    """Median CPU time of one call over five rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            make()
        rounds.append((time.process_time() - began) / times * 1e6)
    return median(rounds)


def requests(spec: WorkflowSpec, count: int) -> list[SendRequested]:
    """Those of the first people whom `outreach bench` mails."""
    made = []
    for i in range(count):
        row = dict(zip(COLUMNS, person(i), strict=True))
        made.append(SendRequested(
            run_id="6f3d1c52-0a7e-5b0f-9d3a-4f6f1c2b7e11", chunk=0, index=i, email=str(row.pop("email")),
            name=str(row.pop("name")), variables={**spec.bind({}), **row}, spec=spec.digest, engine="bench",
            deadline=0))
    return made


def written(messages: Sequence[OutgoingMessage | Unrenderable]) -> list[bytes]:
    """What a server with 8BITMIME is given of them."""
    return [message.mime(eight_bit=True) for message in messages if isinstance(message, OutgoingMessage)]


def main() -> None:
    spec = freeze(FolderCatalog(CATALOG).load(), 1, 8)
    template, skeleton, parameters = compile_spec(spec), skeleton_of(spec), spec.bind({})
    rendered = template.render(ADA, parameters)

    def stdlib() -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"] = "Hazel <hello@hazel.example.com>"
        message["To"] = f"{ADA.name} <{ADA.email}>"
        message["Subject"] = rendered.subject
        message["Message-ID"] = MESSAGE_ID
        message["Date"] = DATE
        message.set_content(rendered.text)
        message.add_alternative(rendered.html, subtype="html")
        return message.as_bytes()

    def ours(*, eight_bit: bool) -> bytes:
        mail = skeleton.mail(Mailbox(ADA.email, ADA.name or ""), rendered)
        return skeleton.write(mail, message_id=MESSAGE_ID, second=SECOND, eight_bit=eight_bit)

    base = microseconds(stdlib, 200)
    print(f"a message of {len(ours(eight_bit=True)):,} bytes, CPU time, median of five rounds")
    print(f"render subject, text and html  {microseconds(lambda: template.render(ADA, parameters), 5_000):8.1f} µs")
    print(f"EmailMessage, standard library {base:8.1f} µs")
    for eight_bit in (False, True):
        took = microseconds(lambda wide=eight_bit: ours(eight_bit=wide), 5_000)  # type: ignore[misc]
        print(f"skeleton, {'8bit' if eight_bit else 'quoted-printable':16}     {took:8.1f} µs   1/{base / took:.0f}")
    composer, due = SpecComposer(spec), cycle(requests(spec, 1_000))
    took = microseconds(lambda: composer.compose(next(due), SECOND), 5_000)
    print(f"a sender: compose              {took:8.1f} µs")
    took = microseconds(lambda: composer.compose(next(due), SECOND).mime(eight_bit=True), 5_000)
    print(f"a sender: compose, write 8bit  {took:8.1f} µs")
    people = requests(spec, 960)
    groups = cycle([people[start:start + GROUP] for start in range(0, len(people), GROUP)])
    took = microseconds(lambda: written(composer.compose_all(next(groups), SECOND)), 200) / GROUP
    print(f"a sender: groups of {GROUP}, write 8bit {took:4.1f} µs")
    html = rendered.html or ""
    print(f"text made of {len(html):,} bytes of html {microseconds(lambda: plain_text(html), 200):8.1f} µs")
    loaded = MessageSkeleton(Mailbox("hello@hazel.example.com"), files=[
        File("terms.pdf", "application/pdf", bytes(2 * 1024 * 1024))])
    mail = loaded.mail(Mailbox(ADA.email), rendered)
    took = microseconds(lambda: loaded.write(mail, message_id=MESSAGE_ID, second=SECOND), 50)
    print(f"skeleton, 2 MiB attached       {took:8.1f} µs")


if __name__ == "__main__":
    main()
