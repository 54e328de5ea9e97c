"""One click in a mail that was received, while a run goes on: not mailed by it any more, nor by any later one."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import urlsplit

import httpx

from outreach_stream.domain.triggers import InlineRecipient

from .catalog import WORKFLOW
from .gateway import gateway
from .system import System

COUNT, RATE = 200, 40
LAST, OTHER = f"people{COUNT - 1}@example.com", "other@example.com"
KEY = "for-tests-only-0123456789-0123456789"


async def link_to(system: System, email: str) -> str:
    """The path of the link in the newest mail to this address, found as a mail program finds it: by its two headers."""
    def received() -> list[EmailMessage]:
        mails = [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(system.kept.iterdir())]
        return [mail for mail in mails if mail["to"] and email in mail["to"]]

    await system.until(received, 10, lambda: f"no mail to {email}")     # it is counted before it is kept
    mail = received()[-1]
    link = mail["List-Unsubscribe"].strip("<>")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in mail.get_body(("plain",)).get_content()
    return urlsplit(link).path


async def test_one_click_is_honoured_at_once(system):
    """Whoever was not mailed yet is skipped by the run that goes on, with the reason, and by later ones, planned or
    express; who had the mail already keeps that end."""
    running = await system(rate=RATE, keep=True)
    running.workers.environment |= {
        "LINK_KEY": KEY, "OUTREACH_UNSUBSCRIBE_KEY": "env:LINK_KEY", "OUTREACH_PUBLIC_URL": "http://127.0.0.1:9"}
    people = running.people(COUNT, extra="unsubscribe: newsletter\n")
    (running.catalog / "templates/hello.yaml").write_text(
        'subject: Hello\ntext: "Dear {{ name }}, or no more of this: {{ unsubscribe_url }}"\n')
    running.start()
    url = await gateway(running)
    both = [InlineRecipient(email=email, name="A", city="B") for email in (LAST, OTHER)]
    assert (await running.completed(await running.trigger(recipients=both))).counts.sent == 2
    links = [await link_to(running, LAST)]

    run = await running.trigger()
    await running.until_sent(2 + RATE)
    early = list(running.arrived().mails())[-1].recipient
    links.append(await link_to(running, early))
    async with httpx.AsyncClient(base_url=url) as client:
        answers = [await client.post(link, data={"List-Unsubscribe": "One-Click"}) for link in links]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert running.arrived().recipients()[LAST] == 1, "it was too late for the test"
    first = await running.completed(run)
    query = f"SELECT email, name, city FROM people WHERE rowid > {COUNT - 3} OR email = '{early}'"
    (running.catalog / "workflows/2.yaml").write_text(
        WORKFLOW.format(id=2, engines="relay", query=query) + "unsubscribe: newsletter\n")
    planned = await running.completed(await running.trigger(2))
    express = await running.completed(await running.trigger(recipients=both))

    assert (first.state, first.counts.total, first.counts.sent, first.counts.skipped) == (
        "COMPLETED", COUNT - 1, COUNT - 1, 1)
    ends = {entry["email"]: (entry["status"], entry["reason"]) for entry in running.log(first)["recipients"]}
    assert ends.pop(LAST) == ("skipped", "unsubscribed")
    assert ends == dict.fromkeys(people - {LAST}, ("sent", None))
    assert (planned.counts.sent, planned.counts.skipped) == (2, 2)
    left_out = {entry["email"] for entry in running.log(planned)["recipients"] if entry["reason"] == "unsubscribed"}
    assert left_out == {early, LAST}
    assert (express.counts.sent, express.counts.skipped) == (1, 1)
    mailed = running.arrived().recipients()
    assert (mailed[LAST], mailed[early], mailed[OTHER]) == (1, 1, 2)
    assert not any(email in running.workers.log(name) for name in running.workers.running for email in (LAST, early))
