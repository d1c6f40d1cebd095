"""Which tasks a person should look at first, out of ten thousand: cheap numbers of each, and an order. Pure.

What is said of a task on a page is `why.py`'s; asking that of all tasks would take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.facts import OpenRun
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.readings.course import (
    BARS,
    COURSE,
    Lately,
    Span,
    ended_between,
    failed_between,
    lately,
    newest_bars,
)
from triggerdev_exporter.readings.task_sight import missed_slots
from triggerdev_exporter.readings.why import AT_LEAST, IN_A_ROW, PATIENCE, SHARE, SLOW_START
from triggerdev_exporter.statuses import RunStatus

SORTS = ("trouble", "busy", "name")
_LIMITS = {
    RunStatus.QUEUED: PATIENCE,
    RunStatus.PENDING_VERSION: PATIENCE,
    RunStatus.DEQUEUED: SLOW_START,
}
"""How long a run may be in a status before it is a trouble."""

OpenRuns = Mapping[str, Sequence[tuple[str, OpenRun]]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A task with what it is ordered by."""

    target: str
    task: str
    trouble: int
    """0: none is known."""
    ended: int
    """In the hours that pages draw."""
    failed: int
    failures: int
    """In a row."""


def rank(
    ledger: Ledger, target: str, tasks: Iterable[str], open_runs: OpenRuns, span: Span, at: Instant
) -> Iterator[Ranked]:
    """The numbers of each task, one at a time, so that whoever asks for many can pause."""
    trails = ledger.strips.trails(COURSE)
    first = span.last - BARS
    for task in tasks:
        trail = trails.get((task,))
        ended = failed = 0
        now: Lately | None = None
        if trail is not None:
            ended, failed = ended_between(trail, first, span.last), failed_between(trail, first, span.last)
        if trail is not None and failed:
            now = lately(newest_bars(trail, span))
        facts = ledger.tasks.get(task)
        failures = 0 if facts is None else facts.consecutive_failures
        fails_partly = now is not None and now.failed >= AT_LEAST and now.failed >= SHARE * now.ended
        ids = ledger.schedules_by_task.get(task, ())
        is_late = any(missed_slots(ledger.schedules[one]) for one in ids)
        stands = any(at - run.since > _LIMITS.get(run.status, at) for _, run in open_runs.get(task, ()))
        if failures >= IN_A_ROW or fails_partly:
            trouble = 3
        elif is_late or stands or (failures and ids):
            trouble = 2
        else:
            trouble = 1 if failures and ended <= IN_A_ROW else 0
        yield Ranked(target, task, trouble, ended, failed, failures)


def ordered(ranked: Iterable[Ranked], sort: str) -> list[Ranked]:
    """By one of `SORTS`; what is equal, by name."""
    match sort:
        case "trouble":
            return sorted(ranked, key=lambda one: (-one.trouble, -one.failed, -one.failures, one.task, one.target))
        case "busy":
            return sorted(ranked, key=lambda one: (-one.ended, one.task, one.target))
    return sorted(ranked, key=lambda one: (one.task, one.target))
