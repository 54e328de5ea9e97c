"""Reading single records of several partitions at once."""

import asyncio

from outreach_stream.streaming.produce import Record, new_producer, produce
from outreach_stream.streaming.readers import RangeReaders
from outreach_stream.topics import RUN_CHUNK, Layout


async def test_each_gets_its_own(kafka_topics: str, layout: Layout) -> None:
    """Whoever reads, of whatever partition, at the same time and in any order, gets the record at that place."""
    producer, readers = new_producer(kafka_topics), RangeReaders(kafka_topics)
    await producer.start()
    await readers.start()
    try:
        written = {}
        for partition in range(layout.runs):
            values = [f"{partition}:{n}".encode() for n in range(5)]
            offsets = await produce(producer, RUN_CHUNK.name, partition, [Record(b"run", value) for value in values])
            written |= {(partition, offset): value for offset, value in zip(offsets, values, strict=True)}
        places = sorted(written, key=lambda place: (place[1] % 3, place))
        read = await asyncio.gather(*(readers.get(RUN_CHUNK.name, *place) for place in places))
    finally:
        await readers.stop()
        await producer.stop()

    assert dict(zip(places, read, strict=True)) == written
