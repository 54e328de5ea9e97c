"""The vocabulary of metrics: well formed, documented, and all that boards and alerts may name."""

from pathlib import Path

from outreach_stream.domain.spread import Spread
from outreach_stream.telemetry import metrics

ROOT = Path(__file__).parents[2]


def test_names_are_as_prometheus_wants_them() -> None:
    """One place each; base units; no suffix that a kind adds by itself."""
    named = [metric.name for metric in metrics.METRICS]

    assert len(named) == len(set(named))
    assert all(name.startswith("outreach_") and not name.endswith(("_total", "_count", "_sum", "_bucket", "_ms"))
               for name in named)
    assert all(metric.name.endswith("_seconds") for metric in metrics.METRICS if metric.kind == "histogram")


def test_no_label_is_a_recipient_or_a_run() -> None:
    """Labels have few values: whoever adds one has to come by here."""
    labels = {label for metric in metrics.METRICS for label in metric.labels}

    assert labels == {"role", "version", "python", "topic", "engine", "outcome", "kind", "state", "result", "route",
                      "method", "status"}


def test_the_document_has_every_metric_word_for_word() -> None:
    """docs/metrics.md is written by `python -m outreach_stream.telemetry.metrics_page`."""
    written = (ROOT / "docs/metrics.md").read_text()

    assert written.endswith("\n".join(metrics.table()) + "\n")


def test_a_spread_counts_up_to_each_bound() -> None:
    """A value that is a bound counts there; what is above all of them counts at the end; below 0 is 0."""
    spread = Spread((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 9.0, -3.0):
        spread.note(value)

    assert list(spread.cumulative()) == [(1.0, 2), (2.0, 4), (float("inf"), 5)]
    assert (spread.count, spread.total) == (5, 13.5)
