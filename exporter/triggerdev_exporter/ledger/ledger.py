"""The ledger of one target in memory: what the metrics are read from. It changes only by `absorb`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar, cast

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.exemplars import Exemplars
from triggerdev_exporter.ledger.facts import (
    FACT_TYPES,
    Coverage,
    Fact,
    Kind,
    OpenBatch,
    OpenDeployment,
    OpenRun,
    OpenToken,
    ScheduleFacts,
    Slot,
    StripFacts,
    TaskFacts,
)
from triggerdev_exporter.ledger.limits import Limits, limits
from triggerdev_exporter.ledger.news import MOST_UNTOLD, News, Noted
from triggerdev_exporter.ledger.recent import Recent
from triggerdev_exporter.ledger.strips import Strips, strip_of_key
from triggerdev_exporter.ledger.tally import Histogram, Labels, SeriesKey, regrouped
from triggerdev_exporter.ledger.trees import Trees
from triggerdev_exporter.spans.policy import Policy

F = TypeVar("F", bound=Fact)


class Ledger:
    """Counters, histograms and facts of one target.

    `birth` is the server's time at its first start (Unix ms): events from then on are counted, earlier ones only fill
    gauges. `limits` bound how many series there may be;
    `overflow` says how often a family was over its budget since this process began.
    """

    def __init__(self, birth: Instant) -> None:
        self.birth = birth
        self.limits = limits()
        self.overflow: Counter[str] = Counter()
        self.facts: dict[Kind, dict[str, Fact]] = {kind: {} for kind in FACT_TYPES}
        self.schedules_by_task: dict[str, set[str]] = {}
        self.strips = Strips()
        self.recent = Recent()
        self.spans: Policy | None = None
        """What becomes of spans; ``None``: nobody exports any."""
        self.enriched = False
        """Whether TRQL tells more of runs that end."""
        self.waiting_spans = 0
        """Runs and batches whose spans wait."""
        self.exemplars = Exemplars()
        self.trees = Trees()
        self.untold: dict[str, tuple[Noted, ...]] = {}
        """Run id → what was counted of it without its queue; only the latest `MOST_UNTOLD`, and only in memory."""
        self.changes = 0
        """How often something was absorbed: who made something of the ledger knows whether it is old."""
        self._counters: dict[str, dict[Labels, int]] = {}
        self._histograms: dict[str, dict[Labels, Histogram]] = {}

    def absorb(self, news: News) -> None:
        """Take over what was committed. Never call it with news that are not on disk."""
        for family, labels in news.folded:
            self._counters.get(family, {}).pop(labels, None)
        for (family, labels), by in news.counts.items():
            counter = self._counters.setdefault(family, {})
            counter[labels] = counter.get(labels, 0) + by
        for place, histogram in news.timings.items():
            mine = self.histogram(place[0]).get(place[1])
            if mine is None:
                self.set_histogram(place, histogram.copy())
            else:
                mine.add(histogram)
        for (kind, key), fact in news.facts.items():
            self.set_fact(kind, key, fact)
        for (strip, labels), cells in news.cells.items():
            self.strips.add(strip, labels, cells)
        for run_id, noted in news.untold.items():
            self.untold.pop(run_id, None)
            if noted:
                self.untold[run_id] = noted
        while len(self.untold) > MOST_UNTOLD:
            del self.untold[next(iter(self.untold))]
        self.trees.grow(news.trees)
        for (series, cell), exemplar in news.exemplars.items():
            self.exemplars.put(series, cell, exemplar, of=len(self.limits.bounds[series[0]]) + 1)
        for (task, version), created_at in news.succeeded.items():
            self.recent.saw(task, version, created_at, succeeded=True)
        for ended in news.ended:
            self.recent.add(ended)
        self.waiting_spans += news.more_spans
        self.overflow += news.overflow
        self.changes += 1

    def keep_within(self, limits: Limits) -> None:
        """Before anything is absorbed: these limits. Histograms take the buckets of them where that can be exact, and
        begin anew elsewhere; on disk that follows with the next value (`store.py` does the same)."""
        self.limits = limits
        for family, bounds in limits.bounds.items():
            mine = self._histograms.get(family, {})
            for labels, histogram in list(mine.items()):
                if histogram.bounds != bounds:
                    moved = regrouped(histogram, bounds)
                    if moved is None:
                        del mine[labels]
                    else:
                        mine[labels] = moved

    def set_counter(self, place: SeriesKey, value: int) -> None:
        self._counters.setdefault(place[0], {})[place[1]] = value

    def set_histogram(self, place: SeriesKey, histogram: Histogram) -> None:
        self._histograms.setdefault(place[0], {})[place[1]] = histogram

    def has(self, place: SeriesKey) -> bool:
        """Whether that counter or histogram exists."""
        family, labels = place
        return labels in self.counter(family) or labels in self.histogram(family)

    def series_of(self, family: str) -> int:
        """How many label sets a counter or histogram family has."""
        return len(self.counter(family)) or len(self.histogram(family))

    def set_fact(self, kind: Kind, key: str, fact: Fact | None) -> None:
        """Replace one fact and keep the index of schedules by task; for `absorb` and for loading."""
        facts = self.facts[kind]
        if kind is Kind.SCHEDULE:
            old = cast("ScheduleFacts | None", facts.get(key))
            if old is not None:
                self.schedules_by_task[old.task].discard(key)
            if fact is not None:
                self.schedules_by_task.setdefault(cast("ScheduleFacts", fact).task, set()).add(key)
        if kind is Kind.STRIP and fact is None:
            self.strips.drop(strip_of_key(key))
        if fact is None:
            facts.pop(key, None)
        else:
            facts[key] = fact

    def counter(self, family: str) -> Mapping[Labels, int]:
        """The series of a counter family, by their label values."""
        return self._counters.get(family, {})

    def histogram(self, family: str) -> Mapping[Labels, Histogram]:
        """The series of a histogram family, by their label values."""
        return self._histograms.get(family, {})

    @property
    def counters(self) -> dict[SeriesKey, int]:
        """All counters: for who compares whole ledgers."""
        return {(family, labels): value for family, rows in self._counters.items() for labels, value in rows.items()}

    @property
    def histograms(self) -> dict[SeriesKey, Histogram]:
        """All histograms: for who compares whole ledgers."""
        return {(family, labels): value for family, rows in self._histograms.items() for labels, value in rows.items()}

    @property
    def runs(self) -> dict[str, OpenRun]:
        """Open runs by id."""
        return cast("dict[str, OpenRun]", self.facts[Kind.RUN])

    @property
    def tasks(self) -> dict[str, TaskFacts]:
        return cast("dict[str, TaskFacts]", self.facts[Kind.TASK])

    @property
    def schedules(self) -> dict[str, ScheduleFacts]:
        return cast("dict[str, ScheduleFacts]", self.facts[Kind.SCHEDULE])

    @property
    def slots(self) -> dict[str, Slot]:
        return cast("dict[str, Slot]", self.facts[Kind.SLOT])

    @property
    def batches(self) -> dict[str, OpenBatch]:
        return cast("dict[str, OpenBatch]", self.facts[Kind.BATCH])

    @property
    def tokens(self) -> dict[str, OpenToken]:
        return cast("dict[str, OpenToken]", self.facts[Kind.TOKEN])

    @property
    def deployments(self) -> dict[str, OpenDeployment]:
        return cast("dict[str, OpenDeployment]", self.facts[Kind.DEPLOYMENT])

    @property
    def untouched(self) -> bool:
        """Whether no page of runs was ever committed."""
        coverage = self.coverage
        read = coverage is not None and bool(coverage.walked_at or coverage.refreshed_at)
        return not (read or self.runs or self.tasks)

    @property
    def kept_strips(self) -> dict[str, StripFacts]:
        """By `Strip.key`: what is kept for windows, and since when."""
        return cast("dict[str, StripFacts]", self.facts[Kind.STRIP])

    @property
    def coverage(self) -> Coverage | None:
        """``None`` before the first page of runs was committed."""
        return cast("Coverage | None", self.facts[Kind.COVERAGE].get(""))
