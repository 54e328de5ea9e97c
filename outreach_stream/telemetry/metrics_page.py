"""Writes the tables of docs/metrics.md: `python -m outreach_stream.telemetry.metrics_page`."""

from pathlib import Path

from outreach_stream.telemetry.metrics import SECTIONS, table

PAGE = Path("docs/metrics.md")


def page(before: str) -> str:
    """The page with the tables as they are now; what stands above them stays."""
    head, _, _ = before.partition(f"\n## {next(iter(SECTIONS))}\n")
    return "\n".join([head.rstrip("\n"), *table(), ""])


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
