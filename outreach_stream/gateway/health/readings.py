"""What the gateway says of itself, in numbers."""

from collections.abc import Iterable, Iterator
from typing import override

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from outreach_stream.gateway.health.counted import Counts
from outreach_stream.gateway.service import Gateway
from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.families import families
from outreach_stream.telemetry.process import process_registry
from outreach_stream.telemetry.readings import Reading


def registry_of(gateway: Gateway, counts: Counts) -> CollectorRegistry:
    """All that is exposed; to be collected in the gateway's event loop."""
    registry = process_registry("gateway")
    registry.register(_OfGateway(gateway, counts))
    return registry


class _OfGateway(Collector):
    def __init__(self, gateway: Gateway, counts: Counts) -> None:
        self._gateway, self._counts = gateway, counts

    @override
    def collect(self) -> Iterable[Family]:
        return families([*of_gateway(self._gateway), *of_requests(self._counts)])


def of_gateway(gateway: Gateway) -> Iterator[Reading]:
    """What it knows of Kafka and the workers."""
    pulse = gateway.pulse
    yield Reading(metrics.BROKER, bool(pulse.reachable))
    yield Reading(metrics.COMPLETE, gateway.statuses.complete)
    yield Reading(metrics.PUBLISHED, gateway.published)
    for role, members in pulse.roles.items():
        yield Reading(metrics.MEMBERS, members, (role,))
    for role, lag in pulse.lag.items():
        for topic, records in lag.items():
            yield Reading(metrics.GROUP_LAG, records, (role, topic))


def of_requests(counts: Counts) -> Iterator[Reading]:
    """What it was asked."""
    for asked, number in counts.requests.items():
        yield Reading(metrics.REQUESTS, number, asked)
    for route, seconds in counts.seconds.items():
        yield Reading(metrics.LATENCY, seconds, route)
