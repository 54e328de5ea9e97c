"""Reading what `/metrics` says, as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

from outreach_stream.telemetry.metrics import METRICS

LABELS = {name: metric.labels for metric in METRICS for name in metric.exposed}


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one time series, by the values of its labels in the vocabulary's order."""
    return {tuple(sample.labels[label] for label in LABELS.get(name, ())): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name}
