"""Answers from the cells of strips: counts, sums and percentiles of a window. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from triggerdev_alerts.signals import Blind, Key, Question, Readings, Unknown, Where, aligned
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.limits import OTHER
from triggerdev_exporter.ledger.sketch import ERROR, percentile
from triggerdev_exporter.ledger.strips import (
    BATCHES,
    ENDED,
    FAILED_ITEMS,
    ITEMS,
    NANOUSD,
    RUNS,
    TAG_BREAK,
    UNTOLD,
    Strip,
    Trail,
)
from triggerdev_exporter.ledger.tally import Labels
from triggerdev_exporter.readings.needs import TYPICAL_QUANTILE, TYPICAL_WINDOW, need_of, typical

FOLDED = Unknown(
    Blind.UNSUPPORTED,
    "there are too many tasks, queues, versions or tags to tell them all apart (metrics.max_series)",
)
NOT_TOLD = Unknown(Blind.NOT_ENRICHED, "the server did not tell in which queue a run is")

Keys = tuple[Key, ...]
Sketches = dict[Key, Counter[int]]

MOST_MERGED = 32


class Windows:
    """The cells of one target as questions see them. It keeps which labels fit which question, and nothing else."""

    def __init__(self) -> None:
        self._keys: dict[tuple[Strip, tuple[str, ...], Where], dict[Labels, Keys]] = {}
        self._sketches: dict[object, Sketches | Unknown] = {}
        self._merged_at = -1
        """`Ledger.changes` when they were merged."""

    def forget(self) -> None:
        """Other questions come from now on."""
        self._keys.clear()

    def counted(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Readings | Unknown:
        """How many; `queues` are the names of all queues."""
        subs = (0,) if question.signal == "runs_triggered" else tuple(map(ENDED.index, question.statuses))
        return self._summed(ledger, question, at, queues, lambda trail, after, until: trail.between(after, until, subs))

    def cost(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Readings | Unknown:
        """US dollars. 0 where all runs that ended cost nothing."""
        runs = self._summed(ledger, question, at, queues, lambda trail, *span: trail.between(*span, (RUNS,)))
        spent = self._summed(ledger, question, at, queues, lambda trail, *span: trail.between(*span, (NANOUSD,)))
        if isinstance(runs, Unknown) or isinstance(spent, Unknown):
            return runs if isinstance(runs, Unknown) else spent
        return Readings({key: spent.values.get(key, 0.0) / 1e9 for key in runs.values})

    def percentile(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Readings | Unknown:
        """Of durations or waits."""
        merged = self._merged(ledger, question, at, queues)
        if isinstance(merged, Unknown):
            return merged
        return Readings(
            {key: percentile(codes, question.quantile) for key, codes in merged.items()},
            {key: codes.total() for key, codes in merged.items()},
            ERROR,
        )

    def _merged(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Sketches | Unknown:
        """The sketches of a window. Questions that only differ in their quantile share them."""
        if self._merged_at != ledger.changes or len(self._sketches) >= MOST_MERGED:
            self._sketches.clear()
            self._merged_at = ledger.changes
        place = (_span(question, at), question.by, question.where)
        found = self._sketches.get(place)
        if found is None:
            found = self._sketches[place] = self._merge(ledger, question, at, queues)
        return found

    def _merge(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Sketches | Unknown:
        merged: Sketches = {}
        for keys, trail, after, until in self._fitting(ledger, question, at, queues):
            found: Counter[int] = Counter()
            trail.sketch.between(after, until, found)
            if not found.total():
                continue
            if isinstance(keys, Unknown):
                return keys
            for key in keys:
                mine = merged.get(key)
                if mine is None:
                    merged[key] = found.copy() if len(keys) > 1 else found
                else:
                    mine.update(found)
        return merged

    def items(self, ledger: Ledger, question: Question, at: Instant, *, failed: bool) -> Readings:
        """Items of batches that ended; absent where none ended."""
        strip, after, until = _span(question, at)
        trail = ledger.strips.trails(strip).get(())
        if trail is None or not trail.between(after, until, (BATCHES,)):
            return Readings({})
        return Readings({(): float(trail.between(after, until, (FAILED_ITEMS if failed else ITEMS,)))})

    def _summed(
        self,
        ledger: Ledger,
        question: Question,
        at: Instant,
        queues: frozenset[str],
        number: Callable[[Trail, int, int], int],
    ) -> Readings | Unknown:
        values: dict[Key, float] = {}
        for keys, trail, after, until in self._fitting(ledger, question, at, queues):
            value = number(trail, after, until)
            if not value:
                continue
            if isinstance(keys, Unknown):
                return keys
            for key in keys:
                values[key] = values.get(key, 0.0) + value
        return Readings(values)

    def _fitting(
        self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]
    ) -> Iterator[tuple[Keys | Unknown, Trail, int, int]]:
        """The trails that a question is about, under which keys they count, and from where to where.

        `Unknown` instead of keys: if anything is there, nobody can say whether the question is about it.
        """
        strip, after, until = _span(question, at)
        trails = ledger.strips.trails(strip)
        place = (strip, question.by, question.where)
        known = self._keys.setdefault(place, {})
        if len(known) > 2 * len(trails) + 100:
            known.clear()
        for labels, trail in trails.items():
            keys: Keys | Unknown | None = known.get(labels)
            if keys is None:
                keys, is_lasting = _keys_of(ledger, strip, labels, question, queues)
                if is_lasting and not isinstance(keys, Unknown):
                    known[labels] = keys
            if keys:
                yield keys, trail, after, until


def usual(ledger: Ledger, at: Instant, *, include_test: bool) -> dict[str, float]:
    """By task, the duration that runs of the last day rarely exceed."""
    strip = typical(include_test=include_test)
    until = aligned(at, TYPICAL_WINDOW) // strip.width
    after = until - TYPICAL_WINDOW // strip.width
    found: dict[str, float] = {}
    for (task,), trail in ledger.strips.trails(strip).items():
        codes: Counter[int] = Counter()
        trail.sketch.between(after, until, codes)
        if codes.total():
            found[task] = percentile(codes, TYPICAL_QUANTILE)
    return found


def _span(question: Question, at: Instant) -> tuple[Strip, int, int]:
    """The strip, and the cells (after, until] of a windowed question."""
    need = need_of(question)
    if need is None:  # pragma: no cover - only windowed signals come here
        raise AssertionError(question.signal)
    strip, _ = need
    window = question.window or 0
    until = aligned(at - question.ago, window) // strip.width
    return strip, until - window // strip.width, until


def _keys_of(
    ledger: Ledger, strip: Strip, labels: Labels, question: Question, queues: frozenset[str]
) -> tuple[Keys | Unknown, bool]:
    """The keys under which labels count for a question, none if it is not about them; and whether that stays so."""
    told = dict(zip(strip.dimensions, labels, strict=True))
    where = question.where
    narrowed = where.task or where.queue or where.version
    if labels and all(label == OTHER for label in labels):
        if narrowed or "tag" in question.by:
            return FOLDED, False
        return (tuple(OTHER for _ in question.by),), True
    queue = told.get("queue", "")
    lasting = True
    if queue.startswith(UNTOLD):
        lasting = False
        likely = likely_queue(ledger, queue[len(UNTOLD) :], queues)
        if likely is None:
            return (NOT_TOLD if _fits(told | {"queue": ""}, _for_any_queue(where)) else ()), False
        told["queue"] = likely
    if not _fits(told, where):
        return (), lasting
    keys: list[Key] = [()]
    for dimension in question.by:
        values = told[dimension].split(TAG_BREAK) if dimension == "tag" else [told[dimension]]
        if dimension == "tag" and not told[dimension]:
            values = []
        keys = [(*key, value) for key in keys for value in values]
    return tuple(keys), lasting


def _for_any_queue(where: Where) -> Where:
    """The same, but for any queue."""
    return Where(task=where.task, version=where.version)


def likely_queue(ledger: Ledger, task: str, queues: frozenset[str]) -> str | None:
    """Where a run is taken to be until the server tells: where the task's newest told run was, else its own queue."""
    facts = ledger.tasks.get(task)
    if facts is not None and facts.queue is not None:
        return facts.queue
    name = f"task/{task}"
    return name if name in queues else None


def _fits(told: Mapping[str, str], where: Where) -> bool:
    """Tags are not looked at: a strip that is narrowed by them holds nothing else."""
    return all(
        not globs or any(fnmatchcase(told[name], glob) for glob in globs)
        for name, globs in (("task", where.task), ("queue", where.queue), ("version", where.version))
    )
