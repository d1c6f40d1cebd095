"""Answers from runs that have not ended, and from what is remembered of tasks. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from triggerdev_alerts.signals import Key, Question, Readings, Unknown, Where
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.ledger.facts import Kind, TaskFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.readings.windows import NOT_TOLD, likely_queue, usual

TOLD_WITHIN = 3 * MINUTE
"""Queues are told once a minute: of younger runs nobody could have told it."""


@dataclass(slots=True)
class OpenRuns:
    """Open runs, sorted by what questions tell apart: for each kind, since when, ascending."""

    made_at: int = -1
    """`Ledger.changes` when it was made."""
    since: dict[tuple[str, str | None, str, bool, str], list[Instant]] = field(default_factory=dict)
    """By task, queue, version, whether they are tests, and status."""
    usual: dict[tuple[bool, Instant], dict[str, float]] = field(default_factory=dict)
    """By whether tests count and as of which minute: how long runs of each task usually take at most."""

    def of(self, ledger: Ledger) -> OpenRuns:
        """The same, made anew if the ledger has changed."""
        if self.made_at != ledger.changes:
            self.since, self.usual = {}, {}
            for run in ledger.runs.values():
                place = (run.task, run.queue, run.version or "", run.is_test, run.status.value)
                self.since.setdefault(place, []).append(run.since)
            for instants in self.since.values():
                instants.sort()
            self.made_at = ledger.changes
        return self

    def older(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Readings | Unknown:
        """How many are in one of the statuses for longer than `older_than`."""
        values: dict[Key, float] = {}
        before = at - question.older_than
        for key, instants, _ in self._fitting(ledger, question, question.where, queues, question.statuses):
            count = bisect_left(instants, before)
            if not count:
                continue
            if isinstance(key, Unknown):
                if instants[0] > at - TOLD_WITHIN:
                    continue
                return key
            values[key] = values.get(key, 0.0) + count
        return Readings(values)

    def slow(self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str]) -> Readings | Unknown:
        """How many execute for longer than is usual for their task."""
        place = (question.where.include_test, at - at % MINUTE)
        limits = self.usual.get(place)
        if limits is None:
            limits = self.usual[place] = usual(ledger, at, include_test=question.where.include_test)
        values: dict[Key, float] = {}
        for key, instants, task in self._fitting(ledger, question, question.where, queues, ("EXECUTING",)):
            limit = max(question.floor, question.times * limits.get(task, 0.0))
            count = sum(1 for since in instants if at - since > limit)
            if count and isinstance(key, Unknown):
                return key
            if count and not isinstance(key, Unknown):
                values[key] = values.get(key, 0.0) + count
        return Readings(values)

    def oldest_queued(
        self, ledger: Ledger, question: Question, at: Instant, queues: frozenset[str], left_out: frozenset[str]
    ) -> Readings | Unknown:
        """How long the oldest run waits in any queue but those `left_out`. Test runs wait like all others."""
        where = question.where
        everybody = Where(where.task, where.queue, where.version, include_test=True)
        values: dict[Key, float] = {}
        for key, instants, _ in self._fitting(ledger, question, everybody, queues, ("QUEUED",), left_out):
            waits = max(0.0, float(at - instants[0]))
            if isinstance(key, Unknown):
                if waits < TOLD_WITHIN:
                    continue
                return key
            values[key] = max(values.get(key, 0.0), waits)
        return Readings(values)

    def _fitting(
        self,
        ledger: Ledger,
        question: Question,
        where: Where,
        queues: frozenset[str],
        statuses: tuple[str, ...],
        left_out: frozenset[str] = frozenset(),
    ) -> Iterator[tuple[Key | Unknown, list[Instant], str]]:
        asks_queue = "queue" in question.by or bool(where.queue or left_out)
        for (task, told, version, is_test, status), instants in self.since.items():
            if status not in statuses or (is_test and not where.include_test):
                continue
            if not (_any(where.task, task) and _any(where.version, version)):
                continue
            queue = (told or likely_queue(ledger, task, queues)) if asks_queue else ""
            if queue is None:
                yield NOT_TOLD, instants, task
                continue
            if queue in left_out or not _any(where.queue, queue):
                continue
            names = {"task": task, "queue": queue, "version": version}
            yield tuple([names[dimension] for dimension in question.by]), instants, task


def consecutive_failures(ledger: Ledger, question: Question) -> Readings:
    """Failures since the last success; absent for a task that neither failed nor succeeded."""
    values: dict[Key, float] = {}
    for key, facts in _tasks(ledger, question).items():
        last = max((one.last_success or 0 for one in facts), default=0)
        failures = sum(_failures_after(one, last) for one in facts)
        if last or failures:
            values[key] = float(failures)
    return Readings(values)


def last_success_age(ledger: Ledger, question: Question, at: Instant) -> Readings:
    values: dict[Key, float] = {}
    for key, facts in _tasks(ledger, question).items():
        last = max((one.last_success or 0 for one in facts), default=0)
        if last:
            values[key] = max(0.0, float(at - last))
    return Readings(values)


def _failures_after(facts: TaskFacts, last: Instant) -> int:
    kept = sum(1 for failure in facts.failures if failure > last)
    # Of those that are not kept only the number is known: they are after the task's own last success.
    return kept + (facts.older_failures if last <= (facts.last_success or 0) else 0)


def _tasks(ledger: Ledger, question: Question) -> dict[Key, list[TaskFacts]]:
    grouped: dict[Key, list[TaskFacts]] = {}
    kinds = (Kind.TASK, Kind.TEST) if question.where.include_test else (Kind.TASK,)
    for kind in kinds:
        for task, facts in ledger.facts[kind].items():
            if isinstance(facts, TaskFacts) and _any(question.where.task, task):
                grouped.setdefault((task,) if question.by else (), []).append(facts)
    return grouped


def _any(globs: tuple[str, ...], value: str) -> bool:
    return not globs or any(fnmatchcase(value, glob) for glob in globs)
