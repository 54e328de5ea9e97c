"""A run that nobody planned or sent, told as the other roles would tell it: its events and its results."""

from aiokafka import AIOKafkaProducer

from outreach_stream import topics
from outreach_stream.domain.events import RunPlanReported, RunRequested
from outreach_stream.domain.identity import CHUNK_SIZE, send_id
from outreach_stream.domain.states import RecipientStatus
from outreach_stream.domain.told import Told
from outreach_stream.streaming.produce import Record, produce

RUN = "3f2b6c1e-8d0a-5c57-9a51-0d8c2f0f7a11"
TOGETHER = 400
"""Results in one batch, as a sender at work publishes them."""
LASTS = 86_400
"""Seconds from the run's beginning to its deadline."""


def requested(began: float) -> RunRequested:
    """The run is admitted."""
    return RunRequested(
        run_id=RUN, trigger_id="t-1", source="bench", workflow_id="1", workflow_name="Spring", workflow_version="1",
        template_id="spring", template_version="1", spec="d" * 64, engine="relay", lanes=[0, 1], priority="bulk",
        body="b" * 64, triggered_at=began, admitted_at=began, deadline=began + LASTS)


def planned(began: float, total: int) -> RunPlanReported:
    """The run is planned, for so many recipients."""
    return RunPlanReported(run_id=RUN, at=began + 5, total=total, skipped=0, chunks=[])


def result(number: int) -> bytes:
    """The recipient of this number was mailed: the record as senders publish it."""
    chunk, index = divmod(number, CHUNK_SIZE)
    return Told(
        run_id=RUN, send_id=send_id(RUN, chunk, index), chunk=chunk, index=index,
        email=f"person.{number}@customers.example.com", status=RecipientStatus.SENT, reason=None, engine="relay",
        message_id=f"<{RUN}.{chunk}.{index}@mail.example.com>", provider_message_id=f"4cX{number:09d}zQ1", attempts=1,
        possible_duplicate=False, recovered=False, started_at="2026-09-21T12:53:19.000Z",
        finished_at="2026-09-21T12:53:20.000Z").encode()


async def publish(producer: AIOKafkaProducer, partition: int, numbers: range) -> list[tuple[bytes, int]]:
    """Publish the results of these recipients in one call; each with its offset."""
    values = [result(number) for number in numbers]
    offsets = await produce(producer, topics.SEND_RESULT.name, partition,
                            [Record(RUN.encode(), value) for value in values])
    return list(zip(values, offsets, strict=True))
