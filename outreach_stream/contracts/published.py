"""The public events: on which topic, in which direction, with which key and headers, and how they are to be read."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from outreach_stream import topics
from outreach_stream.contracts.examples import LEFT, LETTER, RESULT, STATUS, TRIGGER
from outreach_stream.contracts.headers import DeadLetterHeaders, TriggerHeaders, cloud_headers_of
from outreach_stream.domain.event import Event
from outreach_stream.domain.events import RunStatus, SendResult
from outreach_stream.domain.triggers import WorkflowTriggered
from outreach_stream.domain.unsubscribing import Unsubscribed


@dataclass(frozen=True, slots=True)
class Published:
    """One public topic, and the one kind of event that is on it."""

    topic: topics.Topic
    name: str
    action: Literal["receive", "send"]
    """What outreach-stream does with it."""
    value: type[Event] | None
    """None: bytes of any kind."""
    headers: type[BaseModel]
    key: str
    told: str
    """Partitions, repetition, order: what a schema cannot say. CommonMark."""
    example: dict[str, Any]
    """`headers` and `payload`."""


PUBLISHED = (
    Published(
        topics.WORKFLOW_TRIGGERED, "WorkflowTriggered", "receive", WorkflowTriggered, TriggerHeaders,
        key="Any, or none.", example=TRIGGER, told="""\
Publish here to start a run, with `acks=all`, any key and any partitioner. Publishing may be repeated: triggers of one
workflow with the same `slot`, else the same `idempotency_key`, are one run, whoever publishes them and however often.
One with neither is a run for each `trigger_id`, else for each `ce_id`; with none of the four, for each record.
Each accepted trigger is answered by records of `run.status`. One that cannot be decoded goes to `dead.letter`, one that
can be but asks for something impossible has a `run.status` that is `REFUSED`. Transactions that are aborted start
nothing.
"""),
    Published(
        topics.SEND_RESULT, "SendResult", "send", SendResult,
        cloud_headers_of("SendResultHeaders", "outreach.send.result", event_id="`send_id/status`.",
                         source="`/runs/{run_id}`."),
        key="The run id, UTF-8.", example=RESULT, told="""\
One record for each recipient of each run, when it has ended there, in partition `crc32(run id) mod n` (the CRC of zlib,
unsigned; not Kafka's own partitioner).
**At least once**: after a crash a record may be there again, then often with `recovered`, and with fewer details than
the first one had. Deduplicate by `send_id`: of two, believe the one whose status is earlier in this list: `sent`,
`in_doubt`, `failed`, `expired`, `cancelled`; of two with the same status, the first. What is `possible_duplicate` in
one of them stays so. There is no order between recipients, and a record may be repeated after its run has ended.
`skipped` is said here of recipients that came with an express trigger, and of those who unsubscribed while their run
went on; of whom else a query found, the log says it.
It holds e-mail addresses: restrict who may read it.
"""),
    Published(
        topics.RUN_STATUS, "RunStatus", "send", RunStatus,
        cloud_headers_of("RunStatusHeaders", "outreach.run.status", event_id="`run_id/state/updated_at`.",
                         source="`/workflows/{workflow_id}`."),
        key="The run id, UTF-8.", example=STATUS, told="""\
A table: the last record of a key is where that run stands. Read it from the beginning, without a group, keep the last
value of each key, and go on reading for changes. Partition `crc32(run id) mod n`, as in `send.result`.
**At least once**, and the state only moves forward: a status that comes late is followed by the right one at once.
Compacted, so not every status in between is kept. The counts are exact whenever they are said, not sums to be added up.
A run is over when its state is COMPLETED, FAILED or CANCELLED, and its `log` is there; a REFUSED one never began.
It holds no e-mail addresses.
"""),
    Published(
        topics.SUPPRESSION, "Unsubscribed", "send", Unsubscribed,
        cloud_headers_of("UnsubscribedHeaders", "outreach.unsubscribed", event_id="`key/at`.",
                         source="`/lists/{list}`."),
        key="The first 32 hexadecimal digits of SHA-256 of the list's name, a zero byte, and the address in small "
            "letters, all UTF-8.", example=LEFT, told="""\
A table of those who have unsubscribed: an address is on a list while the last record of its key has a value. One
without a value (null) takes it off again, with the same headers. Read it from the beginning, without a group, and go on
reading for changes: whatever sends mail beside outreach-stream should keep to it, too.
**At least once**: a provider repeats a request that it had no answer to. There is one partition.
It is written by the gateway only (`/u/…`, and `/api/v1/suppression/…` for other services).
It holds e-mail addresses: restrict who may read it.
"""),
    Published(
        topics.DEAD_LETTER, "DeadLetter", "send", None, DeadLetterHeaders,
        key="The record's own.", example=LETTER, told="""\
What could not be decoded on any of the topics, as it came: key, value, headers. The value is bytes of any kind, and may
hold e-mail addresses. Its last headers say where it was and why it is here; the same names before those are its
producer's. `outreach dead-letters` shows them, and puts them back.
**At least once**: after a crash a record may be here twice, with the same source topic, partition and offset.
"""),
)
