"""Exemplars: for each bucket of a histogram, one recent run that fell into it. In memory only.

One whose trace is exported is worth more than a later one without: it leads somewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.ledger.tally import SeriesKey

FRESH = 5 * MINUTE
"""For so long a traced run keeps its place against those without a trace."""


class Exemplar(NamedTuple):
    """A run in one bucket."""

    run_id: str
    value: int
    """Milliseconds."""
    at: Instant
    """When it was put here: Prometheus takes exemplars of a series in this order only."""
    trace_id: str = ""
    span_id: str = ""


Place = tuple[SeriesKey, int]
"""A histogram, and the number of a cell."""


class Exemplars:
    """Those of a ledger."""

    def __init__(self) -> None:
        self._of: dict[SeriesKey, tuple[Exemplar | None, ...]] = {}

    def get(self, series: SeriesKey, cell: int) -> Exemplar | None:
        found = self._of.get(series)
        return None if found is None else found[cell]

    def of(self, series: SeriesKey) -> tuple[Exemplar | None, ...]:
        """One a cell; empty where there is none at all."""
        return self._of.get(series, ())

    def put(self, series: SeriesKey, cell: int, exemplar: Exemplar, *, of: int) -> None:
        """Into the cell of that number, `of` so many."""
        found = self._of.get(series) or (None,) * of
        self._of[series] = (*found[:cell], exemplar, *found[cell + 1 :])


def is_better(new: Exemplar, old: Exemplar | None) -> bool:
    """Whether `new` takes the place of `old`."""
    return old is None or (new.at >= old.at and bool(new.trace_id or not old.trace_id or new.at - old.at > FRESH))
