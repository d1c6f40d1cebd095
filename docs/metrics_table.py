"""Writes the catalogue of metrics into README.md, between its markers. `make docs` runs it; a test compares."""

from __future__ import annotations

from pathlib import Path

from triggerdev_exporter.metrics.catalogue import markdown

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- metrics:begin -->\n", "<!-- metrics:end -->"


def filled(text: str) -> str:
    """README with today's table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + markdown() + END + after


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
