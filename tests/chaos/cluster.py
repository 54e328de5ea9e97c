"""Three brokers that keep each record three times: one of them may be lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from outreach_stream.broker.embedded import EmbeddedBroker
from outreach_stream.broker.ports import choose_ports
from outreach_stream.broker.properties import LOOPBACK, server_properties

NODES = 3
REPLICATED = {
    "default.replication.factor": "3",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class Member(EmbeddedBroker):
    """One node of a cluster: broker and controller, on ports that the others know."""

    def __init__(self, folder: Path, cache_dir: Path, node: int) -> None:
        super().__init__(folder / f"kafka-{node}", cache_dir)
        self.node, self.ports = node, choose_ports(0)
        self.port = self.ports.broker
        self.voters = ""

    def configuration(self) -> str:
        """The single node's, and what differs: of two lines with one key the later counts."""
        choose_ports(self.port)
        others = {"node.id": str(self.node), "controller.quorum.voters": self.voters, **REPLICATED}
        lines = "".join(f"{key}={value}\n" for key, value in others.items())
        return server_properties(self.folder.path, self.ports) + lines


class Cluster:
    """Up while its context is entered; kill and start its `brokers` as you like."""

    def __init__(self, folder: Path, cache_dir: Path) -> None:
        self.brokers = [Member(folder, cache_dir, node) for node in range(1, NODES + 1)]
        voters = ",".join(f"{broker.node}@{LOOPBACK}:{broker.ports.controller}" for broker in self.brokers)
        for broker in self.brokers:
            broker.voters, broker.folder.cluster_id = voters, self.brokers[0].folder.cluster_id

    @property
    def bootstrap(self) -> str:
        """Addresses of all brokers."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    async def __aenter__(self) -> "Cluster":
        async with AsyncExitStack() as exits:
            for broker in self.brokers:
                exits.callback(broker.kill)
            async with asyncio.TaskGroup() as starts:  # none answers before there are two
                for broker in self.brokers:
                    starts.create_task(broker.start())
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *_) -> None:
        await self._exits.aclose()

    async def until_in_sync(self) -> None:
        """Wait until each partition is on all brokers, so that another one may be lost."""
        async with self._admin() as admin:
            while any(len(partition["isr"]) < NODES for topic in await admin.describe_topics()
                      for partition in topic["partitions"]):
                await asyncio.sleep(0.1)

    async def insync(self) -> dict[str, str]:
        """How many replicas must have a record before it counts, by topic: ours, and those of the workers' tables."""
        async with self._admin() as admin:
            names = [topic["topic"] for topic in await admin.describe_topics() if not topic["topic"].startswith("__")]
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
        return {resource[3]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]
                if entry[0] == "min.insync.replicas"}

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()
