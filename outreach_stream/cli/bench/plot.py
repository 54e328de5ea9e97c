"""Pictures of results, as SVG that a browser and a repository show. Values in, text out."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from outreach_stream.cli.bench.figures import percentile

WIDTH, LABELS, ROOM = 760, 260, 110
"""Pixels: the whole, the names at the left, and the values behind the longest bar."""

BAR, GAP, HEAD = 26, 10, 52

OURS, OTHERS, INK, PALE = "#3c6e47", "#b9c4b0", "#26331f", "#d8ded2"


def _picture(height: int, title: str, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    look = f'font-family="system-ui, sans-serif" font-size="14" fill="{INK}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img" aria-label="{escape(title)}" {look}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="30" font-size="17" font-weight="600">{escape(title)}</text>', *parts, "</svg>", ""])


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str, ours: Sequence[str]) -> str:
    """One bar for each row, as long as its value; those named in `ours` stand out."""
    longest = max((value for _, value in rows), default=0) or 1
    parts = []
    for number, (name, value) in enumerate(rows):
        y = HEAD + number * (BAR + GAP)
        width, colour = (WIDTH - LABELS - ROOM) * value / longest, OURS if name in ours else OTHERS
        parts += [
            f'<text x="{LABELS - 12}" y="{y + 18}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LABELS + width + 8:.1f}" y="{y + 18}">{value:,.0f} {escape(unit)}</text>']
    return _picture(HEAD + len(rows) * (BAR + GAP) + GAP, title, parts)


def shares(title: str, rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """How many of the milliseconds in each row are below a value: a curve for each, p50 and p99 in words."""
    height, left, low = 360, 60, 310
    most = max((max(values) for _, values in rows if values), default=0) or 1
    parts = []
    for part in (0, 0.25, 0.5, 0.75, 1):
        y, x = low - (low - HEAD) * part, left + (WIDTH - left - 30) * part
        parts += [f'<line x1="{left}" x2="{WIDTH - 30}" y1="{y:.0f}" y2="{y:.0f}" stroke="{PALE}"/>',
                  f'<text x="{left - 8}" y="{y + 5:.0f}" text-anchor="end">{part:.0%}</text>',
                  f'<text x="{x:.0f}" y="{low + 20}" text-anchor="middle">{most * part:,.0f}</text>']
    for number, (name, values) in enumerate(rows):
        colour = (OURS, "#b0683a")[number % 2]
        points = [(left + (WIDTH - left - 30) * value / most, low - (low - HEAD) * (rank + 1) / len(values))
                  for rank, value in enumerate(sorted(values))]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
                     + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        said = f"{name}: p50 {percentile(values, 0.5):,.0f}, p99 {percentile(values, 0.99):,.0f} ms" if values else name
        parts.append(f'<text x="{WIDTH - 40}" y="{low - 40 + number * 20}" text-anchor="end" fill="{colour}">'
                     f"{escape(said)}</text>")
    parts.append(f'<text x="{WIDTH - 30}" y="{low + 40}" text-anchor="end">milliseconds</text>')
    return _picture(height, title, parts)


def pictures(figures: Mapping[str, Any], loops: Mapping[str, str]) -> dict[str, str]:
    """What throughput looks like, by file name."""
    bare, cpu = figures["baselines"], figures["cpu_us_per_recipient"]
    rates = [("outreach-stream", figures["recipients_per_s"]),
             *((name, bare[f"{key}_per_s"]) for key, name in loops.items())]
    parts = [(name, micros) for name, micros in cpu.items() if name != "outreach"]
    return {
        "throughput.svg": bars("Recipients a second", rates, "/s", ["outreach-stream"]),
        "cpu.svg": bars("Processor time for each recipient", parts, "µs", ["aggregator", "dispatcher", "sender"]),
    }
