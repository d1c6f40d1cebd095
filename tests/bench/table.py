"""One line of the table that `make bench` prints. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What was measured, and what it was compared with in the same run."""

    what: str
    measured: str
    against: str
    ratio: str
    goal: str


def markdown(rows: Iterable[Row]) -> str:
    lines = ["| what | measured | compared with | ratio | goal |", "| --- | ---: | --- | ---: | --- |"]
    lines += [f"| {row.what} | {row.measured} | {row.against} | {row.ratio} | {row.goal} |" for row in rows]
    return "\n".join(lines) + "\n"


def ms(seconds: float) -> str:
    """Milliseconds with as many digits as tell something."""
    millis = seconds * 1_000
    return f"{millis:,.0f} ms" if millis >= 10 else f"{millis:.1f} ms" if millis >= 1 else f"{millis:.2f} ms"


def part(small: float, large: float) -> str:
    """``1/25``: how much smaller."""
    return f"1/{large / small:,.0f}"
