"""From what a process says of itself to what Prometheus reads."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from math import inf

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from outreach_stream.domain.spread import Spread
from outreach_stream.telemetry.metrics import METRICS, Metric
from outreach_stream.telemetry.readings import Reading

_ORDER = {metric.name: number for number, metric in enumerate(METRICS)}


def families(readings: Iterable[Reading]) -> Iterator[Family]:
    """The readings by metric, in the order of the vocabulary."""
    in_order = sorted(readings, key=lambda reading: _ORDER[reading.metric.name])
    for metric, same in groupby(in_order, key=lambda reading: reading.metric):
        yield _family(metric, same)


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        for _, spread, labels in readings:
            assert isinstance(spread, Spread)
            buckets = [(_bound(bound), float(count)) for bound, count in spread.cumulative()]
            histogram.add_metric(labels, buckets, spread.total)
        return histogram
    family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(
        metric.name, metric.meaning, labels=metric.labels)
    for _, value, labels in readings:
        assert not isinstance(value, Spread)
        family.add_metric(labels, value)
    return family


def _bound(bound: float) -> str:
    return "+Inf" if bound == inf else str(bound)
