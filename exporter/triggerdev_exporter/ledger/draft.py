"""The draft in which a step's `News` are worked out against a ledger, without touching it. Pure.

A draft reads through: what it already decided shadows the ledger, so that the second of two equal rows on a page finds
the first. What it decided is one value, committed to disk and then absorbed into memory.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeVar, cast

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.exemplars import Exemplar, is_better
from triggerdev_exporter.ledger.facts import (
    Coverage,
    Fact,
    Kind,
    OpenRun,
    ScheduleFacts,
    StripFacts,
    TaskFacts,
)
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import OTHER
from triggerdev_exporter.ledger.news import News, Noted, Notice
from triggerdev_exporter.ledger.settled import id_hash
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.ledger.strips import About, Family, Strip
from triggerdev_exporter.ledger.tally import Histogram, Labels, SeriesKey
from triggerdev_exporter.spans.policy import Policy

F = TypeVar("F", bound=Fact)


class Draft:
    """The working-out of one `News`.

    `settled` holds the marks of those asked-for ids that ended before, `spans` those asked-for rows that wait.
    """

    def __init__(self, ledger: Ledger, settled: Mapping[int, int], spans: Mapping[str, SpanRow] | None = None) -> None:
        self._ledger = ledger
        self._settled = settled
        self._spans = spans or {}
        self._new_series: Counter[str] = Counter()
        self._new_tasks = 0
        # As they are now: rules may be loaded anew while a draft pauses.
        self._needs = ledger.strips.needs
        self._kept: dict[Family, list[tuple[Strip, int]]] = {}
        self._strips_kept_at: Instant | None = None
        self.news = News()
        # Each run asks for these several times.
        self.birth: Instant = ledger.birth
        self._facts = self.news.facts
        self._counts = self.news.counts

    def get(self, kind: Kind, key: str, as_type: type[F]) -> F | None:
        """The fact as it will be after this draft."""
        place = (kind, key)
        if place in self._facts:
            return self._facts[place]  # type: ignore[return-value]  # what stands under a kind is of its type
        return self._ledger.facts[kind].get(key)  # type: ignore[return-value]  # as above

    def run(self, run_id: str) -> OpenRun | None:
        return self.get(Kind.RUN, run_id, OpenRun)

    def task(self, task: str) -> TaskFacts:
        return self.get(Kind.TASK, task, TaskFacts) or TaskFacts()

    def admits(self, task: str) -> bool:
        """Whether `task` has facts and series of its own, or may have them from now on."""
        if self.get(Kind.TASK, task, TaskFacts) is not None:
            return True
        limits = self._ledger.limits
        return len(self._ledger.facts[Kind.TASK]) + self._new_tasks < limits.tasks and limits.allows(task)

    def admits_test(self) -> bool:
        """Whether one more task may have facts of its test runs."""
        new = sum(1 for kind, _ in self.news.facts if kind is Kind.TEST)
        return self.how_many(Kind.TEST) + new < self._ledger.limits.tasks

    @property
    def tags(self) -> Mapping[str, int]:
        """Tags that have series of their own, and how many values of each."""
        return self._ledger.limits.tags

    def coverage(self) -> Coverage:
        found = self.get(Kind.COVERAGE, "", Coverage)
        return found if found is not None else Coverage(tail=self.birth)

    def schedules_of(self, task: str) -> Iterator[tuple[str, ScheduleFacts]]:
        for schedule_id in self._ledger.schedules_by_task.get(task, ()):
            facts = self.get(Kind.SCHEDULE, schedule_id, ScheduleFacts)
            if facts is not None:
                yield schedule_id, facts

    def all(self, kind: Kind, as_type: type[F]) -> dict[str, F]:
        """All facts of `kind` as they will be after this draft, in a dict of their own."""
        merged = dict(self._ledger.facts[kind])
        for (that_kind, key), fact in self.news.facts.items():
            if that_kind is kind:
                if fact is None:
                    merged.pop(key, None)
                else:
                    merged[key] = fact
        return cast("dict[str, F]", merged)

    def how_many(self, kind: Kind) -> int:
        """Facts of `kind`, before this draft."""
        return len(self._ledger.facts[kind])

    def oldest(self, kind: Kind) -> str | None:
        """The key of the fact of `kind` that has been kept longest, of those that this draft leaves alone."""
        return next((key for key in self._ledger.facts[kind] if (kind, key) not in self.news.facts), None)

    def put(self, kind: Kind, key: str, fact: Fact) -> None:
        before = self.get(kind, key, type(fact))
        if before != fact:
            self._new_tasks += kind is Kind.TASK and before is None
            self.news.facts[kind, key] = fact

    def drop(self, kind: Kind, key: str) -> None:
        if self.get(kind, key, TaskFacts) is not None:
            self.news.facts[kind, key] = None

    def marks(self, kind: Kind, key: str) -> int | None:
        """The marks of an id that ended, ``None`` if it has not (or longer ago than `HORIZON`)."""
        hashed = id_hash(kind, key)
        if hashed in self.news.settled:
            return self.news.settled[hashed][1]
        return self._settled.get(hashed)

    def settle(self, kind: Kind, key: str, *, until: Instant, marks: int = 0) -> None:
        self.news.settled[id_hash(kind, key)] = (until, marks)

    def count(self, family: str, labels: Labels, by: int = 1) -> None:
        """Add `by` to a counter. In a family by task (its first label), one over the budget is ``__other__``'s."""
        counts = self._counts
        place = (family, labels)
        # What this draft counts already is within the budget.
        if place in counts:
            counts[place] += by
        else:
            place = self._within_budget(family, labels)
            counts[place] = counts.get(place, 0) + by

    def total(self, family: str, labels: Labels) -> int:
        place = (family, labels)
        base = 0 if place in self.news.folded else self._ledger.counter(family).get(labels, 0)
        return base + self.news.counts.get(place, 0)

    def has(self, family: str, labels: Labels) -> bool:
        """Whether that counter exists, or will after this draft."""
        place = (family, labels)
        return place in self._counts or (self._ledger.has(place) and place not in self.news.folded)

    def series(self, family: str) -> set[Labels]:
        """Label values of a counter family, with those that this draft adds."""
        known = set(self._ledger.counter(family))
        known.update(labels for name, labels in self.news.counts if name == family)
        return {labels for labels in known if (family, labels) not in self.news.folded}

    def fold(self, family: str, labels: Labels, into: Labels) -> None:
        """Move a counter's whole value to another series of its family; the sum over the family stays."""
        value = self.total(family, labels)
        self.news.counts.pop((family, labels), None)
        if labels in self._ledger.counter(family):
            self.news.folded.add((family, labels))
        if value:
            self.count(family, into, value)

    def observe(self, family: str, labels: Labels, value_ms: int, run_id: str = "", now: Instant = 0) -> None:
        """Add a value to a histogram, within the same budget as `count`; a run that is named may stand beside it."""
        series = (family, labels)
        histogram = self.news.timings.get(series)
        if histogram is None:
            series = self._within_budget(family, labels)
            histogram = self.news.timings.get(series)
            if histogram is None:
                histogram = self.news.timings[series] = Histogram(self._ledger.limits.bounds[family])
        cell = histogram.observe(value_ms)
        if run_id:
            self._exemplify(series, cell, Exemplar(run_id, value_ms, now))

    def keep_strips(self, now: Instant) -> None:
        """Begin to keep what loaded rules ask for, and end what none asks for. Before it, `note` does nothing.

        A strip knows what happens from now on; if nothing was read yet, also what the look-back finds.
        """
        coverage = self.get(Kind.COVERAGE, "", Coverage)
        if coverage is None or self._strips_kept_at == now:
            return
        self._strips_kept_at = now
        needs = self._needs
        # A version that keeps no strips wrote in between: what it counted is not in the cells.
        trusted = coverage.has_strips
        if not trusted:
            self.put(Kind.COVERAGE, "", msgspec.structs.replace(coverage, has_strips=True))
        kept = {strip.key for strip in needs}
        for key in self.all(Kind.STRIP, StripFacts):
            if key not in kept:
                self.news.facts[Kind.STRIP, key] = None
        self._kept = {}
        for strip, reach in needs.items():
            before = self.get(Kind.STRIP, strip.key, StripFacts)
            begins = self._known_from(strip.family, coverage, now)
            facts = StripFacts(since=begins, reach=reach)
            if before is not None and trusted:
                # What lies further back than it reached so far is forgotten already.
                since = before.since if reach <= before.reach else max(before.since, now - before.reach)
                facts = StripFacts(since=since, reach=reach, shortened=before.shortened)
            self.put(Kind.STRIP, strip.key, facts)
            self._kept.setdefault(strip.family, []).append((strip, strip.cell(now - reach)))

    def _known_from(self, family: Family, coverage: Coverage, now: Instant) -> Instant:
        if self._ledger.untouched:
            # Batches are only found through what happens to their runs.
            return self.birth if family is Family.BATCHES else coverage.tail
        # Scheduled runs are listed before their createdAt.
        return max(now, coverage.newest or 0) if family is Family.TRIGGERED else now

    @property
    def keeps_strips(self) -> bool:
        """Whether any strip is kept at all."""
        return bool(self._kept)

    def keeps(self, family: Family) -> bool:
        """Whether any strip wants to know what happens in `family`."""
        return family in self._kept

    def note(self, family: Family, at: Instant, about: About, sub: int, by: int = 1, *, run_id: str = "") -> None:
        """Count something that happened at `at` in the cells of all strips of `family`. Once for each event.

        With `run_id` it is moved when somebody tells the queue of the run (`tell_queue`).
        """
        for strip, oldest in self._kept.get(family, ()):
            cell = strip.cell(at)
            labels = strip.labels(about) if cell > oldest else None
            if labels is None:
                continue
            self._add_to_cell(strip, labels, cell, sub, by)
            if about.queue is None and run_id and "queue" in strip.dimensions:
                waiting = self._untold(run_id)
                told = Noted(family, at, about, sub, by)
                if told not in waiting:
                    self.news.untold[run_id] = (*waiting, told)

    def tell_queue(self, run_id: str, queue: str) -> None:
        """Move what was noted of a run without its queue to where it belongs."""
        waiting = self._untold(run_id)
        for noted in waiting:
            self._move(noted, noted.about._replace(queue=queue), "queue")
        if waiting:
            self.news.untold[run_id] = ()

    def tell_version(self, run_id: str, noted: Noted, version: str) -> None:
        """Move something that was noted of a run before it had a version."""
        told = noted._replace(about=noted.about._replace(version=version))
        self._move(noted, told.about, "version")
        waiting = self._untold(run_id)
        if noted in waiting:
            self.news.untold[run_id] = tuple(told if one == noted else one for one in waiting)

    def _move(self, noted: Noted, told: About, dimension: str) -> None:
        for strip, oldest in self._kept.get(noted.family, ()):
            cell = strip.cell(noted.at)
            if dimension not in strip.dimensions or cell <= oldest:
                continue
            for about, by in ((noted.about, -noted.by), (told, noted.by)):
                labels = strip.labels(about)
                if labels is not None:
                    self._add_to_cell(strip, labels, cell, noted.sub, by)

    def _add_to_cell(self, strip: Strip, labels: Labels, cell: int, sub: int, by: int) -> None:
        cells = self.news.cells.get((strip, labels))
        if cells is None:
            cells = self.news.cells.setdefault(self._place_in_strip(strip, labels), {})
        place = (cell, sub)
        cells[place] = cells.get(place, 0) + by

    def _untold(self, run_id: str) -> tuple[Noted, ...]:
        found = self.news.untold.get(run_id)
        return self._ledger.untold.get(run_id, ()) if found is None else found

    def _place_in_strip(self, strip: Strip, labels: Labels) -> tuple[Strip, Labels]:
        place = (strip, labels)
        known = self._ledger.strips.trails(strip)
        if place in self.news.cells or labels in known or not labels:
            return place
        new = sum(1 for one, _ in self.news.cells if one == strip)
        if len(known) + new < self._ledger.limits.strip_series:
            return place
        return strip, (OTHER,) * len(labels)

    def _within_budget(self, family: str, labels: Labels) -> SeriesKey:
        place = (family, labels)
        most = self._ledger.limits.series.get(family)
        if most is None or place in self.news.counts or place in self.news.timings or self._ledger.has(place):
            return place
        # A task has series of its own in all families or in none: the page is made task by task.
        if self._ledger.series_of(family) + self._new_series[family] < most and self.admits(labels[0]):
            self._new_series[family] += 1
            return place
        self.overflowed(family)
        return family, (OTHER, *labels[1:])

    def overflowed(self, family: str) -> None:
        """Remember that something is counted as ``__other__``, for want of room in `family`."""
        self.news.overflow[family] += 1

    def exemplify(self, family: str, labels: Labels, exemplar: Exemplar) -> None:
        """Show `exemplar` beside the bucket that it was observed in."""
        series = (family, labels)
        if series not in self.news.timings and not self._ledger.has(series):
            series = (family, (OTHER, *labels[1:]))
        self._exemplify(series, bisect_left(self._ledger.limits.bounds[family], exemplar.value), exemplar)

    def _exemplify(self, series: SeriesKey, cell: int, exemplar: Exemplar) -> None:
        place = (series, cell)
        if is_better(exemplar, self.news.exemplars.get(place) or self._ledger.exemplars.get(series, cell)):
            self.news.exemplars[place] = exemplar

    def succeeded(self, task: str, version: str, created_at: Instant) -> None:
        """A run of that version of a task ended well."""
        versions = self.news.succeeded
        place = (task, version)
        versions[place] = min(versions.get(place, created_at), created_at)

    @property
    def spans(self) -> Policy | None:
        """What becomes of spans; ``None`` where none are exported."""
        return self._ledger.spans

    @property
    def enriched(self) -> bool:
        """Whether somebody will tell more of the runs that end."""
        return self._ledger.enriched

    def span(self, key: str) -> SpanRow | None:
        """The row of a run or batch whose spans wait, if it was asked for or is new."""
        return self.news.spans[key] if key in self.news.spans else self._spans.get(key)

    def put_span(self, row: SpanRow) -> None:
        self.news.more_spans += self.span(row.due.id) is None
        self.news.spans[row.due.id] = row

    def drop_span(self, key: str) -> None:
        self.news.more_spans -= self.span(key) is not None
        self.news.spans[key] = None

    def tree_spans(self, root_id: str) -> int:
        """How many spans the trace of that root has, as far as we remember."""
        return self._ledger.trees.spans(root_id) + self.news.trees.get(root_id, 0)

    def grow_tree(self, root_id: str, spans: int) -> None:
        self.news.trees[root_id] += spans

    def notice(self, reason: str, text: str) -> None:
        self.news.notices.append(Notice(reason, text))
