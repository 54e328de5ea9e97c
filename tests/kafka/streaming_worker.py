"""A worker for the tests to kill, freeze and scale: makes one effect per record and writes it to a file.

Its orders come as JSON in the first argument. A line of the file: record's value, process id, time.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from outreach_stream.streaming import instance
from outreach_stream.streaming.app import StreamApp
from outreach_stream.streaming.batch import Batch
from outreach_stream.streaming.limits import Limits
from outreach_stream.streaming.worker import run

WINDOW = 16
"""Effects in progress per partition."""

orders: dict[str, Any] = json.loads(sys.argv[1])
data_dir = Path(orders["data_dir"])
effects = os.open(orders["effects"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

app = StreamApp(
    orders["app_id"], bootstrap=orders["bootstrap"], data_dir=data_dir, session_timeout=orders["session_timeout"],
    instance_id=instance.hold(data_dir, orders["app_id"]) if orders["static"] else None,
    limits=Limits(batch_records=50, load_high=400, load_low=200, commit=orders["commit"], stop=orders["stop"]))
slots: defaultdict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(WINDOW))


async def effect(batch: Batch, i: int, slot: asyncio.Semaphore) -> None:
    await asyncio.sleep(random.uniform(0.02, 0.08))
    os.write(effects, b"%s %d %.3f\n" % (batch.records[i].value, os.getpid(), time.time()))
    if await batch.owned():
        batch.done(i)
    else:
        batch.release(i)
    slot.release()


async def lane(batches: "asyncio.Queue[Batch]", partition: int) -> None:
    while True:
        batch = await batches.get()
        for i in range(len(batch.records)):
            slot = slots[partition]
            await slot.acquire()
            if not await batch.claim(i):
                slot.release()
                break
            app.spawn(effect(batch, i, slot))


@app.agent(app.batch_topic(orders["topic"]))
async def work(stream: AsyncIterator[Any]) -> None:
    lanes: dict[int, asyncio.Queue[Batch]] = {}
    async for batch in app.batches(stream):
        partition = batch.tp.partition
        if partition not in lanes:
            lanes[partition] = asyncio.Queue()
            app.spawn(lane(lanes[partition], partition))
        lanes[partition].put_nowait(batch)


app.on_assigned.append(lambda tps: os.write(effects, b"# %d owns %d\n" % (os.getpid(), len(tps))) and None)

if __name__ == "__main__":
    sys.exit(run(app))
