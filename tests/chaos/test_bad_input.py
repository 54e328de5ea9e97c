"""What is wrong with a run is said, nothing is mailed for it, and the next run goes on."""

import asyncio
import sqlite3
from email import message_from_bytes, policy

from aiokafka import AIOKafkaConsumer

from outreach_stream import topics
from outreach_stream.streaming.produce import Record, produce


async def test_bad_triggers_templates_and_names(system):
    """A malformed trigger is a dead letter, a missing variable fails its run before the first mail, a line break in a
    name makes no header; and the run after them is mailed."""
    running = await system(keep=True)
    running.people(3)
    with sqlite3.connect(running.catalog / "people.db") as db:
        db.execute("UPDATE people SET name = ? WHERE email = 'people0@example.com'", ["Eve\r\nBcc: all@example.com"])
    (running.catalog / "templates/broken.yaml").write_text('subject: "Hi {{ nickname }}"\ntext: "Dear {{ name }}"\n')
    broken = (running.catalog / "workflows/1.yaml").read_text().replace("id: 1", "id: 2").replace("hello", "broken")
    (running.catalog / "workflows/2.yaml").write_text(broken)
    running.start()

    await produce(running.producer, topics.WORKFLOW_TRIGGERED.name, 0, [Record(b"k", b'{"workflow_id": ')])
    failed = await running.completed(await running.trigger(2))
    done = await running.completed(await running.trigger(1))
    letter = await _dead_letter(running.bootstrap)
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in running.kept.iterdir()]

    assert failed.state == "FAILED" and "nickname" in failed.reason and "broken" in failed.reason
    assert running.log(failed)["recipients"] == []
    assert done.counts.sent == len(mails) == 3
    assert not any(mail["Bcc"] for mail in mails)
    assert letter.value == b'{"workflow_id": '
    assert b"WorkflowTriggered" in dict(letter.headers)["reason"]


async def _dead_letter(bootstrap):
    consumer = AIOKafkaConsumer(topics.DEAD_LETTER.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
