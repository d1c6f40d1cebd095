"""What a step changes, as one value: committed by `store.py`, then absorbed by `ledger.py`. It decides nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.exemplars import Exemplar, Place
from triggerdev_exporter.ledger.facts import Fact, Kind
from triggerdev_exporter.ledger.recent import Ended
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.ledger.strips import About, Cells, Family
from triggerdev_exporter.ledger.tally import Histogram, SeriesKey

FactKey = tuple[Kind, str]

MOST_UNTOLD = 20_000
"""Runs that wait for somebody to tell their queue."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a run that an operator may want to know; `reason` is a label value."""

    reason: str
    text: str


class Noted(NamedTuple):
    """Something that was added to the cells of strips."""

    family: Family
    at: Instant
    about: About
    sub: int
    by: int


@dataclass(slots=True)
class News:
    """Everything that one step changes, ready to be committed."""

    counts: dict[SeriesKey, int] = field(default_factory=dict)
    """Increments."""
    timings: dict[SeriesKey, Histogram] = field(default_factory=dict)
    """Histograms to add."""
    folded: set[SeriesKey] = field(default_factory=set)
    """Counters that were moved elsewhere and end."""
    facts: dict[FactKey, Fact | None] = field(default_factory=dict)
    """New values; ``None`` deletes."""
    settled: dict[int, tuple[Instant, int]] = field(default_factory=dict)
    """Id hash → (kept until, marks)."""
    overflow: Counter[str] = field(default_factory=Counter)
    """By family, how often something was counted under ``__other__`` because its budget is used up."""
    notices: list[Notice] = field(default_factory=list)
    cells: Cells = field(default_factory=dict)
    """What is added to the cells of strips."""
    untold: dict[str, tuple[Noted, ...]] = field(default_factory=dict)
    """By run id, what was noted without its queue; empty: nothing waits for it any more. Never on disk."""
    exemplars: dict[Place, Exemplar] = field(default_factory=dict)
    """Never on disk."""
    ended: list[Ended] = field(default_factory=list)
    """Those that did not succeed, for who looks into an alert. Never on disk."""
    succeeded: dict[tuple[str, str], Instant] = field(default_factory=dict)
    """By task and version, when the first run was created of those that succeeded. Never on disk."""
    spans: dict[str, SpanRow | None] = field(default_factory=dict)
    """By id of the run or batch, rows whose spans wait to be exported; ``None``: waits no more."""
    trees: Counter[str] = field(default_factory=Counter)
    """By root run, how many spans its trace gets. Never on disk."""
    more_spans: int = 0
    """How many more rows wait than before; negative if fewer."""

    def __bool__(self) -> bool:
        return bool(
            self.counts or self.timings or self.folded or self.facts or self.settled or self.cells or self.spans
        )
