"""All that is known of one task now, as one frozen record: what `why.py` decides over and what the task's page shows.

Gathered from the ledger and the sights of one target; nothing is asked. What cannot be seen is named, never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from triggerdev_alerts.message.values import show_duration
from triggerdev_alerts.signals import Blind, ErrorCount
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.facts import OpenRun, ScheduleFacts, TaskFacts
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.recent import Ended
from triggerdev_exporter.ledger.sketch import percentile
from triggerdev_exporter.readings.blindness import failing_for
from triggerdev_exporter.readings.course import Bar, Lately, course, lately, span_of
from triggerdev_exporter.readings.error_texts import normalised
from triggerdev_exporter.readings.needs import TYPICAL_QUANTILE, TYPICAL_WINDOW, typical
from triggerdev_exporter.readings.windows import likely_queue
from triggerdev_exporter.records import Queue, RunError
from triggerdev_exporter.statuses import RunStatus
from triggerdev_exporter.target import Target

ErrorsOf = Callable[[Target, Sequence[Ended], Instant], Mapping[RunError, int]]
"""How often each error was seen in runs of one task, as far as somebody asked for an alert."""
MOST_ERRORS = 3
SEEN_LATELY = 10
"""Failing runs whose errors are counted."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that cannot be read now."""

    what: str
    """A collector."""
    reason: Blind
    since: Instant | None
    """``None``: since we began."""
    trouble: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The open runs of a task in one state."""

    count: int
    oldest: Instant
    """Since when the oldest is in it."""
    run_id: str
    """The oldest one."""
    attempts: int = 0
    """The most that one of them has begun."""


@dataclass(frozen=True, slots=True)
class ScheduleSight:
    """One schedule that starts the task."""

    id: str
    cron: str
    timezone: str
    type: str
    active: bool
    missed: tuple[Instant, ...]
    """The latest slots, one after the other, that no run met, ascending."""
    last_run: Instant | None
    next_run: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSight:
    """A task of one target, as of `at` (the server's time, like all instants here)."""

    target: str
    task: str
    at: Instant
    runs_unseen: Unseen | None = None
    queues_unseen: Unseen | None = None
    schedules_unseen: Unseen | None = None
    is_starting: bool = False
    """The first look-back is not read yet."""
    is_catching_up: bool = False
    known_since: Instant = 0
    """Runs created before that were never looked at."""
    open: Mapping[RunStatus, Waiting] | None = None
    retrying: Waiting | None = None
    """Of those that execute: the ones that began more than one attempt."""
    usual: float | None = None
    """How long a run rarely exceeds, milliseconds."""
    queue_name: str | None = None
    queue: Queue | None = None
    running_elsewhere: int | None = None
    """In all other queues."""
    last_finished: Instant | None = None
    last_success: Instant | None = None
    failures: int = 0
    """In a row, up to now."""
    failing_since: Instant | None = None
    """When the first of these ended; ``None`` where that is too long ago to be remembered."""
    lately: Lately | None = None
    bars: tuple[Bar | None, ...] = ()
    """The last hours (`course.py`)."""
    unsuccessful: tuple[Ended, ...] = ()
    """The latest runs that did not succeed, the latest first. In memory only: empty after a restart."""
    since_version: str = ""
    errors: tuple[ErrorCount, ...] = ()
    schedules: tuple[ScheduleSight, ...] = ()
    version: str = ""
    """Of its newest run."""
    deployed_version: str = ""
    """The current deployment; empty while it is not known."""
    is_deployed: bool | None = None
    """Whether that one holds the task; ``None`` where the server does not tell."""

    def waiting(self, status: RunStatus) -> Waiting | None:
        return (self.open or {}).get(status)

    @property
    def is_scheduled(self) -> bool:
        return any(one.active for one in self.schedules)


def knows(target: Target, task: str) -> bool:
    """Whether anything is known of a task of that name."""
    ledger = target.ledger
    if task in target.sights.deployed_tasks:
        return True
    if ledger is None:
        return False
    return (
        task in ledger.tasks
        or bool(ledger.schedules_by_task.get(task))
        or any(run.task == task for run in ledger.runs.values())
    )


def known_tasks(target: Target) -> set[str]:
    """The names of all tasks that are known."""
    ledger = target.ledger
    told = set(target.sights.deployed_tasks)
    if ledger is None:
        return told
    return told.union(ledger.tasks, (task for task, ids in ledger.schedules_by_task.items() if ids))


def sight_of(
    target: Target,
    task: str,
    now: Instant,
    errors_of: ErrorsOf = lambda *_: {},
    runs: Sequence[tuple[str, OpenRun]] | None = None,
) -> TaskSight:
    """What is known at `now` (our clock). `runs` are its open runs, for who looks at many tasks (`open_by_task`)."""
    at = target.client.meter.server_now(now)
    unseen = {name: unseen_of(target, name, now) for name in ("runs", "queues", "schedules")}
    ledger = target.ledger
    deployment = target.sights.deployment
    deployed = target.sights.deployed_tasks
    if ledger is None:
        return TaskSight(target=target.name, task=task, at=at, is_starting=True, runs_unseen=unseen["runs"])
    coverage, facts = ledger.coverage, ledger.tasks.get(task, TaskFacts())
    name, queue, elsewhere = _queue(target, ledger, task)
    unsuccessful = ledger.recent.unsuccessful_of(task)
    in_a_row = frozenset(facts.failures)
    failures = [run for run in unsuccessful if run.finished_at in in_a_row]
    mine = open_by_task(ledger, task).get(task, []) if runs is None else runs
    bars = course(ledger, span_of(ledger, at), task)
    return TaskSight(
        target=target.name,
        task=task,
        at=at,
        runs_unseen=unseen["runs"],
        queues_unseen=unseen["queues"],
        schedules_unseen=unseen["schedules"],
        is_starting=coverage is None or not coverage.looked_back,
        is_catching_up=coverage is not None and bool(cover.unread(coverage)),
        known_since=ledger.birth if coverage is None else coverage.tail,
        open=_open(mine),
        retrying=_group([(run_id, run) for run_id, run in mine if (run.attempts or 0) > 1]),
        usual=_usual(ledger, task, at),
        queue_name=name,
        queue=queue,
        running_elsewhere=elsewhere,
        last_finished=facts.last_finished,
        last_success=facts.last_success,
        failures=facts.consecutive_failures,
        failing_since=facts.failures[0] if facts.failures and not facts.older_failures else None,
        lately=lately(bars),
        bars=bars,
        unsuccessful=unsuccessful,
        since_version=_first_bad(ledger, task, failures, facts.consecutive_failures),
        errors=_errors(errors_of(target, (failures or unsuccessful)[:SEEN_LATELY], now)),
        schedules=tuple(_schedules(target, ledger, task)),
        version=facts.version or "",
        deployed_version="" if deployment is None else deployment.version,
        is_deployed=task in deployed if deployed else None,
    )


def open_by_task(ledger: Ledger, only: str | None = None) -> dict[str, list[tuple[str, OpenRun]]]:
    """Open runs that are no tests, by task."""
    found: dict[str, list[tuple[str, OpenRun]]] = {}
    for run_id, run in ledger.runs.items():
        if not run.is_test and only in (None, run.task):
            found.setdefault(run.task, []).append((run_id, run))
    return found


def unseen_of(target: Target, collector: str, now: Instant) -> Unseen | None:
    """Why a collector does not see now, and since when; ``None`` while it does, or before it was asked first."""
    reason = failing_for(target, collector, now)
    if reason is None:
        return None
    state = target.states[collector]
    since = state.failing_since if state.failing_since is not None else state.last_success
    quiet = f"not read for {show_duration(3 * state.interval_ms)}"
    return Unseen(collector, reason, since, state.trouble or quiet)


def _open(runs: Iterable[tuple[str, OpenRun]]) -> dict[RunStatus, Waiting]:
    by_status: dict[RunStatus, list[tuple[str, OpenRun]]] = {}
    for run_id, run in runs:
        by_status.setdefault(run.status, []).append((run_id, run))
    grouped = {status: _group(by_status[status]) for status in sorted(by_status)}
    return {status: group for status, group in grouped.items() if group is not None}


def _group(runs: Sequence[tuple[str, OpenRun]]) -> Waiting | None:
    if not runs:
        return None
    run_id, oldest = min(runs, key=lambda item: (item[1].since, item[0]))
    return Waiting(len(runs), oldest.since, run_id, max(run.attempts or 0 for _, run in runs))


def _queue(target: Target, ledger: Ledger, task: str) -> tuple[str | None, Queue | None, int | None]:
    """Its name, how it stands, and how many runs of other queues run."""
    seen = target.sights.queues
    if seen is None:
        return likely_queue(ledger, task, frozenset()), None, None
    by_name = {queue.name: queue for queue in seen}
    name = likely_queue(ledger, task, frozenset(by_name))
    if name is None:
        name = next((queue.name for queue in seen if queue.task == task), None)
    running = sum(queue.running for queue in seen)
    queue = None if name is None else by_name.get(name)
    return name, queue, running - (0 if queue is None else queue.running)


def _usual(ledger: Ledger, task: str, at: Instant) -> float | None:
    strip = typical(include_test=False)
    trail = ledger.strips.trails(strip).get((task,))
    if trail is None:
        return None
    codes: Counter[int] = Counter()
    trail.sketch.between(strip.cell(at - TYPICAL_WINDOW), strip.cell(at), codes)
    return percentile(codes, TYPICAL_QUANTILE) if codes.total() else None


def _first_bad(ledger: Ledger, task: str, failures: Sequence[Ended], in_a_row: int) -> str:
    """The version that all failures in a row are of, if it never succeeded and an older one did; else empty.

    A version that succeeded before is not what changed: "roll back" would be bad advice.
    """
    versions = {run.version for run in failures}
    if len(versions) != 1 or len(failures) < min(in_a_row, SEEN_LATELY):
        return ""
    (version,) = versions
    known = ledger.recent.versions(task)
    if version not in known or known[version].succeeded:
        return ""
    begins = known[version].first_created
    return version if any(sight.succeeded and sight.first_created < begins for sight in known.values()) else ""


def _errors(told: Mapping[RunError, int]) -> tuple[ErrorCount, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for error, count in told.items():
        counts[normalised(error.name), normalised(error.message)] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ErrorCount(name, message, count) for (name, message), count in ordered[:MOST_ERRORS])


def _schedules(target: Target, ledger: Ledger, task: str) -> list[ScheduleSight]:
    told = {one.id: one.next_run for one in target.sights.schedules or ()}
    found = []
    for schedule_id in sorted(ledger.schedules_by_task.get(task, ())):
        facts = ledger.schedules[schedule_id]
        found.append(
            ScheduleSight(
                id=schedule_id,
                cron=facts.cron,
                timezone=facts.timezone,
                type=facts.type,
                active=facts.active,
                missed=missed_slots(facts),
                last_run=facts.last_run,
                next_run=told.get(schedule_id) if facts.active else None,
            )
        )
    return found


def missed_slots(facts: ScheduleFacts) -> tuple[Instant, ...]:
    """The latest slots that no run met, as the ledger judged them; none if a later one was met."""
    if not facts.active:
        return ()
    missed: list[Instant] = []
    for at, met in reversed(facts.verdicts):
        # A run that became visible after the verdict counts all the same.
        if met or at <= (facts.last_run or 0):
            break
        missed.append(at)
    return tuple(reversed(missed))
