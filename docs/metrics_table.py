"""Writes the catalogue of metrics into docs/metrics.md, between its markers. `make docs` runs it; a test compares."""

from __future__ import annotations

from pathlib import Path

from triggerdev_exporter.metrics.catalogue import markdown

PAGE = Path(__file__).resolve().parent / "metrics.md"
BEGIN, END = "<!-- metrics:begin -->\n", "<!-- metrics:end -->"


def filled(text: str) -> str:
    """The page with today's table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + markdown() + END + after


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
