"""`python -m outreach_stream.cli.bench.bare CATALOG PORT MAILS CONNECTIONS`: a run's mails, sent by bare loops.

The same messages as the run's, composed beforehand: no database, no templates, no Kafka, no record of who got what.
Prints one JSON object. A process of its own, so that its processor time is only that of sending.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiosmtplib

from outreach_stream.catalog.folder import FolderCatalog
from outreach_stream.catalog.spec import freeze
from outreach_stream.cli.bench.pipelined import Pipelined, Prepared, prepared
from outreach_stream.cli.bench.stage import BULK, COLUMNS, person
from outreach_stream.domain.events import SendRequested
from outreach_stream.domain.identity import CHUNK_SIZE
from outreach_stream.rendering.composer import SpecComposer

type Sending = Callable[[], Awaitable[object]]
"""Sends all mails; what had to be done before was done when it was made."""


def compose(catalog: Path, count: int) -> list[Prepared]:
    """The mails of the run's first recipients."""
    spec = freeze(FolderCatalog(catalog).load(), BULK, 8)
    composer, parameters = SpecComposer(spec), spec.bind({})
    mails = []
    for i in range(count):
        row = dict(zip(COLUMNS, person(i), strict=True))
        request = SendRequested(run_id="bare", chunk=i // CHUNK_SIZE, index=i % CHUNK_SIZE, email=str(row.pop("email")),
                                name=str(row.pop("name")), variables={**parameters, **row}, spec=spec.digest,
                                engine="bench", deadline=0)
        message = composer.compose(request, time.time())
        mails.append(prepared(message.sender, message.recipient, message.mime(eight_bit=True)))
    return mails


async def library(port: int, mails: Sequence[Prepared], connections: int) -> Sending:
    """aiosmtplib, as its documentation has it."""
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for client in clients:
        await client.connect()
        await client.ehlo()
    left = iter(mails)

    async def one(client: aiosmtplib.SMTP) -> None:
        for mail in left:
            await client.sendmail(mail.sender, [mail.recipient], mail.content, mail_options=["BODY=8BITMIME"])
        await client.quit()

    return lambda: asyncio.gather(*map(one, clients))


async def protocol(port: int, mails: Sequence[Prepared], connections: int, *, coupled: bool) -> Sending:
    """See `Pipelined`."""
    left, loop = iter(mails), asyncio.get_running_loop()
    made = [(await loop.create_connection(lambda: Pipelined(left, coupled=coupled), "127.0.0.1", port))[1]
            for _ in range(connections)]
    await asyncio.gather(*(each.ready for each in made))

    def send() -> Awaitable[object]:
        for each in made:
            each.start()
        return asyncio.gather(*(each.done for each in made))

    return send


async def measured(name: str, making: Awaitable[Sending], count: int) -> dict[str, float]:
    """Mails a second once all connections stand, and processor time of this process for each mail."""
    send = await making
    cpu, began = time.process_time(), time.perf_counter()
    await send()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {f"{name}_per_s": round(count / seconds), f"{name}_cpu_us": round(cpu / count * 1e6, 1)}


async def baselines(catalog: Path, port: int, count: int, connections: int) -> dict[str, float]:
    """All of them, one after the other."""
    mails = compose(catalog, count)
    return {
        "mails": count, "connections": connections, "message_bytes": len(mails[0].content),
        **await measured("aiosmtplib", library(port, mails, connections), count),
        **await measured("pipelined", protocol(port, mails, connections, coupled=False), count),
        **await measured("coupled", protocol(port, mails, connections, coupled=True), count),
    }


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(baselines(Path(place), *map(int, numbers)))))
