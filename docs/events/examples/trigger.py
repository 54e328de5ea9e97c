"""A producer that knows nothing of outreach-stream but its contract: starts a run, once, however often it is called.

pip install aiokafka
python trigger.py localhost:9092 welcome order-4711 ada@example.com
"""
# ruff: noqa: INP001, T201 - a script of its own, which prints

import asyncio
import json
import sys
from typing import Any

from aiokafka import AIOKafkaProducer


async def trigger(bootstrap: str, workflow: str, key: str, **fields: Any) -> None:
    """Returns when Kafka has the trigger for sure. When it raises, call it again: the same key is the same run."""
    value = {"schema_version": 1, "workflow_id": workflow, "idempotency_key": key, "source": "shop", **fields}
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait("workflow.triggered", json.dumps(value).encode(), key=key.encode(),
                                     headers=[("ce_id", key.encode()), ("ce_specversion", b"1.0"),
                                              ("ce_type", b"com.example.order.placed"), ("ce_source", b"/shop")])


if __name__ == "__main__":
    broker, workflow_id, order, email = sys.argv[1:]
    asyncio.run(trigger(broker, workflow_id, order, recipients=[{"email": email}]))
    print(f"Triggered: workflow {workflow_id} for {order}")
