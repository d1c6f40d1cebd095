"""Counters and histograms as plain integers: keys, cells, and how one value falls into them. No runs here."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

Labels = tuple[str, ...]
"""Label values, in the order in which the family names its labels."""

SeriesKey = tuple[str, Labels]
"""Family name without prefix, and label values."""

#: Upper bounds in milliseconds, ``+Inf`` left out; `metrics.buckets` may say others. A layout is a contract: queries
#: and alerts name these numbers.
BOUNDS_MS: dict[str, tuple[int, ...]] = {
    "run_wait_seconds": (100, 500, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000),
    "run_duration_seconds": (
        100,
        500,
        1_000,
        5_000,
        15_000,
        60_000,
        300_000,
        900_000,
        3_600_000,
        14_400_000,
        86_400_000,
    ),
    "batch_duration_seconds": (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000),
}


@dataclass(slots=True)
class Histogram:
    """Cells between bounds (the last one is open to the top) and the sum of all values, in milliseconds."""

    bounds: tuple[int, ...]
    cells: list[int] = field(default_factory=list)
    sum: int = 0

    def __post_init__(self) -> None:
        if not self.cells:
            self.cells = [0] * (len(self.bounds) + 1)

    @property
    def count(self) -> int:
        return sum(self.cells)

    def observe(self, value: int) -> int:
        """Count `value` (milliseconds) in the first cell whose bound is not below it; which cell that is."""
        cell = bisect_left(self.bounds, value)
        self.cells[cell] += 1
        self.sum += value
        return cell

    def add(self, other: Histogram) -> None:
        """Take over another histogram of the same bounds."""
        self.cells = [mine + theirs for mine, theirs in zip(self.cells, other.cells, strict=True)]
        self.sum += other.sum

    def copy(self) -> Histogram:
        return Histogram(self.bounds, list(self.cells), self.sum)


def regrouped(histogram: Histogram, bounds: tuple[int, ...]) -> Histogram | None:
    """The same values under other bounds, or ``None`` where a new bound falls into a cell: who knows on which side."""
    if not set(bounds) <= set(histogram.bounds):
        return None
    cells = [0] * (len(bounds) + 1)
    for bound, count in zip(histogram.bounds, histogram.cells, strict=False):
        cells[bisect_left(bounds, bound)] += count
    cells[-1] += histogram.cells[-1]
    return Histogram(bounds, cells, histogram.sum)
