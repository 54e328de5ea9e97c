"""What is wrong with a run is said, nothing is mailed for it, and the next run goes on."""

import asyncio
import sqlite3
from email import message_from_bytes, policy

from aiokafka import AIOKafkaConsumer

from outreach_stream import topics
from outreach_stream.streaming.produce import Record, produce

LOOPS = "{% for a in range(n) %}{% for b in range(n) %}{% endfor %}{% endfor %}"
ENDLESS = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0"


async def test_bad_runs_beside_a_good_one(system):
    """A malformed trigger is a dead letter. A missing variable, a template that loops for ever and a query beyond its
    timeout fail their runs before the first mail, asked for once, and say what is wrong. A line break in a name makes
    no header, and a recipient whose mail would take for ever fails alone: everybody else is mailed."""
    running = await system(keep=True)
    running.people(150)
    with sqlite3.connect(running.catalog / "people.db") as db:
        db.execute("UPDATE people SET name = ? WHERE email = 'people0@example.com'", ["Eve\r\nBcc: all@example.com"])
        db.execute("UPDATE people SET city = iif(email = 'people120@example.com', 1000, 1)")
    _template(running, "hello", f'subject: "Hello {{{{ name }}}}"\ntext: "{{% set n = city|int %}}{LOOPS}Good day."\n')
    _template(running, "broken", 'subject: "Hi {{ nickname }}"\ntext: "Dear {{ name }}"\n')
    _template(running, "endless", f'subject: "Hi"\ntext: "{{% set n = 9999 %}}{LOOPS}"\n')
    _workflow(running, 2, "hello", "broken")
    _workflow(running, 3, "hello", "endless")
    _workflow(running, 4, "WHERE true", f"WHERE {ENDLESS}\n  timeout: 1s")
    running.start()

    await produce(running.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(b"k", b'{"workflow_id": ')])
    runs = [await running.trigger(workflow) for workflow in (2, 3, 4, 1)]
    broken, endless, query, done = [await running.completed(run) for run in runs]
    [failed] = [entry for entry in running.log(done)["recipients"] if entry["status"] != "sent"]
    letter = await _dead_letter(running.bootstrap)
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in running.kept.iterdir()]

    assert {broken.state, endless.state, query.state} == {"FAILED"}
    assert "nickname" in broken.reason and "template broken" in broken.reason
    assert "template endless, text: line 1: takes more than 100,000 steps" in endless.reason
    assert "longer than 1 s: index the query, or raise recipients.timeout" in query.reason
    assert "planning_put_off" not in running.workers.log("dispatcher"), "a second query would take as long"
    assert running.log(broken)["recipients"] == []
    assert (done.state, done.counts.sent, done.counts.failed) == ("COMPLETED", 149, 1) and running.received() == 149
    assert failed["email"] == "people120@example.com"
    assert "takes more than 100,000 steps" in failed["reason"] and "1000" not in failed["reason"]
    assert not any(mail["Bcc"] for mail in mails)
    assert letter.value == b'{"workflow_id": '
    assert b"WorkflowTriggered" in dict(letter.headers)["reason"]


async def test_a_catalog_that_is_taken_apart_in_mid_run(system):
    """A run goes on from what was frozen with it, whatever becomes of its workflow and template, and in a sender that
    never saw them. Deleted, a workflow is refused; broken, the catalog stays as it was, and says so, until repaired."""
    running = await system(rate=100)
    people = running.people(300)
    workflow, template = running.catalog / "workflows/1.yaml", running.catalog / "templates/hello.yaml"
    kept, hello = workflow.read_text(), template.read_text()
    running.start()
    run = await running.trigger()
    await running.until_sent(50)

    workflow.unlink()
    template.unlink()
    await asyncio.to_thread(running.terminate, "sender")
    running.start("sender")
    await running.until(lambda: running.workers.log("sender").count("worker_started") == 2, 30, lambda: "no sender")
    refused = await running.trigger()
    await running.until_state(refused, "REFUSED")
    (running.catalog / "workflows/2.yaml").write_text("id: [2\n")
    workflow.write_text(kept)
    template.write_text(hello)
    unchanged = await running.trigger()
    await running.until_state(unchanged, "REFUSED")
    done = await running.completed(run)
    (running.catalog / "workflows/2.yaml").unlink()
    repaired = await running.trigger()
    await running.until_state(repaired, "SENDING", "COMPLETED")

    assert "no workflow has the id '1'" in running.status(refused).reason
    assert done.state == "COMPLETED" and done.counts.sent == len(people)
    assert set(running.arrived().recipients()) == people
    assert "workflows/2.yaml" in running.workers.log("aggregator")


def _template(running, name, text):
    (running.catalog / f"templates/{name}.yaml").write_text(text)


def _workflow(running, number, *change):
    """A workflow like the first, with one change."""
    text = (running.catalog / "workflows/1.yaml").read_text().replace("id: 1", f"id: {number}").replace(*change)
    (running.catalog / f"workflows/{number}.yaml").write_text(text)


async def _dead_letter(bootstrap):
    consumer = AIOKafkaConsumer(topics.DEAD_LETTER.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
