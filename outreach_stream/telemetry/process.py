"""What every process says of itself: memory, CPU, open files, garbage, and which program it is."""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from platform import python_version
from typing import override

from prometheus_client import CollectorRegistry
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from outreach_stream.telemetry import metrics
from outreach_stream.telemetry.families import families
from outreach_stream.telemetry.readings import Reading


class _Build(Collector):
    def __init__(self, role: str) -> None:
        self._reading = Reading(metrics.BUILD, 1, (role, _version(), python_version()))

    @override
    def collect(self) -> Iterable[Family]:
        return families([self._reading])


def process_registry(role: str) -> CollectorRegistry:
    """A registry with the process's own metrics; collectors of its parts are added to it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Build(role))
    return registry


@cache
def _version() -> str:
    return version("outreach-stream")
