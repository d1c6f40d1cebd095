"""Answers about schedules: which slots no run met, by what `ledger/slots.py` remembers. Pure.

Verdicts that the ledger made are taken over; slots that are due since are judged here, with the question's own grace.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from triggerdev_alerts.signals import Key, Question, Readings, Where
from triggerdev_exporter.clock import DAY, Instant
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.facts import ScheduleFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.slots import EARLY, GRACE, Span, due_slots, rank, was_blind

FAR = 366 * DAY


@dataclass(slots=True)
class Schedules:
    """What is worked out once and holds until the ledger changes."""

    made_at: int = -1
    """`Ledger.changes` when it was made."""
    runs: dict[str, tuple[list[Instant], list[int]]] = field(default_factory=dict)
    """By task, when scheduled runs were created, ascending, and how many runs there were before each of them."""
    next_due: dict[str, tuple[ScheduleFacts, Instant]] = field(default_factory=dict)
    """By schedule, its first slot that the ledger has not judged, for those facts."""

    def of(self, ledger: Ledger) -> Schedules:
        """The same, made anew if the ledger has changed."""
        if self.made_at != ledger.changes:
            created: dict[str, list[tuple[Instant, int]]] = {}
            for slot in ledger.slots.values():
                created.setdefault(slot.task, []).append((slot.at, slot.runs))
            self.runs = {}
            for task, slots in created.items():
                slots.sort()
                before = [0]
                for _, runs in slots:
                    before.append(before[-1] + runs)
                self.runs[task] = ([at for at, _ in slots], before)
            self.next_due = {one: known for one, known in self.next_due.items() if one in ledger.schedules}
            self.made_at = ledger.changes
        return self

    def missed(self, ledger: Ledger, question: Question, at: Instant, blind: Sequence[Span]) -> Readings:
        """How many slots in a row no run met, up to the latest; absent before the first verdict."""
        values: dict[Key, float] = {}
        for schedule_id, facts in active(ledger, question.where):
            verdicts = list(self._verdicts(ledger, schedule_id, facts, at, question.grace, question.early, blind))
            if not verdicts:
                continue
            streak = next((n for n, met in enumerate(reversed(verdicts)) if met), len(verdicts))
            names = {"schedule": schedule_id, "task": facts.task}
            key = tuple([names[dimension] for dimension in question.by])
            values[key] = max(values.get(key, 0.0), float(streak))
        return Readings(values)

    def share_missing(self, ledger: Ledger, at: Instant, blind: Sequence[Span]) -> Readings:
        """Of the active schedules with a verdict. Absent if there are fewer than two: one is not all."""
        latest: list[bool] = []
        for schedule_id, facts in active(ledger, Where()):
            verdicts = list(self._verdicts(ledger, schedule_id, facts, at, GRACE, EARLY, blind))
            latest += verdicts[-1:]
        return Readings({(): latest.count(False) / len(latest)} if len(latest) > 1 else {})

    def _verdicts(
        self,
        ledger: Ledger,
        schedule_id: str,
        facts: ScheduleFacts,
        at: Instant,
        grace: int,
        early: int,
        blind: Sequence[Span],
    ) -> Iterator[bool]:
        """Of each judged slot since the last one that the ledger knows as met, ascending: whether it was met."""
        for slot, met in facts.verdicts:
            if slot <= at - grace:
                # A run that became visible after the verdict counts all the same.
                yield met or self._is_met(ledger, schedule_id, facts, slot, grace, early)
        until = at - grace if ledger.coverage is None else min(at - grace, cover.read_until(ledger.coverage))
        if until < self._next_due(schedule_id, facts):
            return
        for slot in due_slots(facts, until):
            met = self._is_met(ledger, schedule_id, facts, slot, grace, early)
            if met or not was_blind(blind, slot, grace=grace, early=early):
                yield met

    def _next_due(self, schedule_id: str, facts: ScheduleFacts) -> Instant:
        known = self.next_due.get(schedule_id)
        if known is None or known[0] is not facts:
            first = next(iter(_ahead(facts)), facts.judged_to + FAR)
            known = self.next_due[schedule_id] = (facts, first)
        return known[1]

    def _is_met(
        self, ledger: Ledger, schedule_id: str, facts: ScheduleFacts, slot: Instant, grace: int, early: int
    ) -> bool:
        created, before = self.runs.get(facts.task, ((), (0,)))
        found = before[bisect_right(created, slot + grace)] - before[bisect_left(created, slot - early)]
        return found > 0 and found > self._taken(ledger, schedule_id, facts, slot)

    def _taken(self, ledger: Ledger, schedule_id: str, facts: ScheduleFacts, slot: Instant) -> int:
        """How many schedules of the same task are due at the same slot and get their run first."""
        mine = rank(facts, schedule_id)
        others = ledger.schedules_by_task.get(facts.task, set()) - {schedule_id}
        taken = 0
        for other in others:
            theirs = ledger.schedules[other]
            if theirs.active and rank(theirs, other) < mine and _is_due(theirs, slot):
                taken += 1
        return taken


def scheduled_tasks(ledger: Ledger, question: Question) -> Readings:
    """1 for each task that an active schedule starts."""
    tasks = {facts.task for _, facts in active(ledger, question.where)}
    return Readings({(task,) if question.by else (): 1.0 for task in tasks})


def active(ledger: Ledger, where: Where) -> Iterator[tuple[str, ScheduleFacts]]:
    """Schedules that are switched on, of the tasks that are asked for."""
    for schedule_id, facts in ledger.schedules.items():
        if facts.active and (not where.task or any(fnmatchcase(facts.task, glob) for glob in where.task)):
            yield schedule_id, facts


def _is_due(facts: ScheduleFacts, slot: Instant) -> bool:
    if any(slot == at for at, _ in facts.verdicts):
        return True
    return slot > facts.judged_to and slot in due_slots(facts, slot)


def _ahead(facts: ScheduleFacts) -> list[Instant]:
    """The first slots behind the last verdict, by growing steps."""
    for step in (DAY // 24, DAY, 32 * DAY, FAR):
        found = due_slots(facts, facts.judged_to + step)
        if found:
            return found
    return []
