"""The shape of a family: one row of data that says name, kind, labels, meaning, and where its samples come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.exemplars import Exemplar
from triggerdev_exporter.ledger.facts import TaskFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import OTHER, Limits
from triggerdev_exporter.ledger.run_news import open_by_status
from triggerdev_exporter.records import Queue
from triggerdev_exporter.target import CollectorState, Target

PREFIX = "triggerdev_"


class Kind(StrEnum):
    """The types of the exposition formats that we use."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Rest(StrEnum):
    """What becomes of a gauge's rows beyond its budget."""

    SUMMED = "summed"
    OLDEST = "oldest"
    DROPPED = "dropped"


class Buckets(NamedTuple):
    """One histogram series: bounds and sum in seconds, cells not cumulative, the last one open to the top."""

    bounds: tuple[float, ...]
    cells: tuple[int, ...]
    sum: float
    exemplars: tuple[Exemplar | None, ...] = ()
    """One a cell, or none at all. Only OpenMetrics can show them."""


Value = float | Buckets
Row = tuple[tuple[str, ...], Value]
Rows = Iterable[Row]


@dataclass(frozen=True)
class View:
    """One target at one instant, as the rows read it. `now` is our clock, as is `CollectorState.last_success`."""

    target: Target
    now: Instant

    @property
    def ledger(self) -> Ledger | None:
        return self.target.ledger

    @cached_property
    def tasks(self) -> Sequence[tuple[str, TaskFacts]]:
        """Tasks that had a run and have series of their own, by name: sorted once for several families."""
        return [] if self.ledger is None else sorted(self.ledger.tasks.items(), key=itemgetter(0))

    @cached_property
    def known_tasks(self) -> Sequence[str]:
        """Tasks with series of their own: those that had a run, and those that the current deployment brings."""
        if self.ledger is None:
            return []
        known, limits = self.ledger.tasks, self.ledger.limits
        deployed = self.target.sights.deployed_tasks
        more = sorted(task for task in deployed if task not in known and limits.allows(task))
        return sorted([*known, *more[: max(0, limits.tasks - len(known))]])

    @cached_property
    def queues(self) -> Sequence[Queue]:
        """All queues by name: sorted once for several families."""
        return sorted(self.target.sights.queues or (), key=attrgetter("name"))

    @cached_property
    def states(self) -> Sequence[tuple[str, CollectorState]]:
        """The collectors by name."""
        return sorted(self.target.states.items())

    @cached_property
    def open_by_status(self) -> Mapping[tuple[str, str], tuple[int, Instant]]:
        """(task, status) → how many runs are open, and since when the oldest is: read once for several families."""
        return {} if self.ledger is None else open_by_status(self.ledger.runs.values())

    def state(self, collector: str) -> CollectorState:
        return self.target.states[collector]

    def counts(self, collector: str) -> Ledger | None:
        """The ledger, if what `collector` feeds into it can be shown: runs only once the look-back is complete."""
        ledger = self.ledger
        if ledger is None:
            return None
        if collector == "runs":
            return ledger if ledger.coverage is not None and ledger.coverage.looked_back else None
        return ledger


@dataclass(frozen=True, slots=True)
class Family:
    """A family of one target's series. `read` yields (label values, value); no row, no series."""

    name: str
    """Without the prefix; a counter's ends in ``_total``."""
    kind: Kind
    labels: tuple[str, ...]
    help: str
    read: Callable[[View], Rows]
    source: str | None = None
    """The collector whose silence makes a gauge vanish after three of its intervals."""
    rest: Rest | None = None
    """A gauge that grows with the user's project: what becomes of rows over its budget. The ledger folds counters."""
    budget: Callable[[Limits], int] | None = None
    """Where `rest` is set: how many rows there may be."""

    @property
    def full_name(self) -> str:
        return PREFIX + self.name

    def rows(self, view: View) -> Rows:
        """The rows that may be shown now."""
        if self.kind is Kind.GAUGE and self.source is not None and view.state(self.source).is_stale(view.now):
            return ()
        rows = self.read(view)
        if self.rest is None or self.budget is None or view.ledger is None:
            return rows
        return fold(rows, self.budget(view.ledger.limits), self.rest)


def fold(rows: Rows, most: int, rest: Rest) -> Rows:
    """The first `most` rows, and the rest under ``__other__`` in the first label (or not at all)."""
    given = list(rows)
    if len(given) <= most and OTHER not in [labels[0] for labels, _ in given]:
        return given
    return _folded(given, most, rest)


def _folded(rows: Rows, most: int, rest: Rest) -> Rows:
    over: dict[tuple[str, ...], list[float]] = {}
    for number, (labels, value) in enumerate(rows):
        if number < most and labels[0] != OTHER:
            yield labels, value
        elif rest is not Rest.DROPPED and not isinstance(value, Buckets):
            over.setdefault((OTHER, *labels[1:]), []).append(value)
    for labels, values in over.items():
        yield labels, sum(values) if rest is Rest.SUMMED else min(values)
