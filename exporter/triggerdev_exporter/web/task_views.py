"""What the API answers about tasks, as a closed set of structs, and how each is made of what is known. Pure.

Instants are RFC 3339 in UTC. Fields are only ever added within a major version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from triggerdev_alerts.instants import iso_or_none
from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.ledger.recent import Ended, VersionSight
from triggerdev_exporter.ledger.tally import Histogram
from triggerdev_exporter.readings.error_texts import LONGEST
from triggerdev_exporter.readings.task_sight import ScheduleSight, TaskSight
from triggerdev_exporter.readings.why import Cause, Why, explain
from triggerdev_exporter.readings.witness import run_url
from triggerdev_exporter.records import Queue, RunError
from triggerdev_exporter.statuses import Outcome
from triggerdev_exporter.target import Target
from triggerdev_exporter.web.alert_views import AlertView

ErrorOf = Callable[[str], RunError | None]
"""The error of a run by its id, if it was retrieved for an alert."""


class CauseView(msgspec.Struct, frozen=True, kw_only=True):
    leaf: str
    """``cannot_see starting not_triggered paused queue_limit environment_limit no_version nothing_dequeues waits
    stuck_starting retrying expired canceled failing failing_partly last_failed late_schedule slow fine not_due working
    no_outcome``."""
    says: str
    since: str | None
    do: str
    """What to do about it; empty where there is nothing."""


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    count: int
    oldest: str
    """Since when the oldest is in that status."""
    run: str
    """The oldest."""


class BarView(msgspec.Struct, frozen=True, kw_only=True):
    ended: int
    failed: int


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    task: str
    leaf: str
    """The answer of `why`."""
    says: str
    last_success: str | None
    last_finished: str | None
    failures_in_a_row: int
    open: list[OpenView]
    version: str | None
    ended: int
    """In the hours of `bars`, as far as they can be told."""
    failed: int
    bars: list[BarView | None]
    """The last three hours in bars of five minutes, the oldest first; ``None``: nobody can say."""


class TaskList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    total: int
    """How many there are, also where fewer are listed."""
    tasks: list[TaskRow]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    first_seen: str
    """When the first run of it was created that ended since we look."""
    succeeded: bool
    """Whether a run of it ever succeeded since we look."""


class TimingView(msgspec.Struct, frozen=True, kw_only=True):
    """Half of the runs took at most `half_ms`, 95 of 100 `most_ms`; ``None``: longer than any bound."""

    runs: int
    half_ms: int | None
    most_ms: int | None


class FailedRunView(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    url: str | None
    status: str
    ended_at: str
    version: str | None
    error: str | None
    """Only where it was looked up for an alert."""


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    id: str
    task: str
    type: str
    cron: str
    timezone: str
    active: bool
    last_run: str | None
    """The last slot for which a run came."""
    next_run: str | None
    missed: int
    """The latest slots that no run met."""
    missed_since: str | None


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    name: str
    type: str
    queued: int
    running: int
    limit: int | None
    """``None``: only that of the environment."""
    paused: bool


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    why: WhyView
    row: TaskRow
    wait: TimingView | None
    """Of runs that ended since counting began; ``None``: there was none."""
    duration: TimingView | None
    versions: list[VersionView]
    """The latest, the newest first."""
    unsuccessful: list[FailedRunView]
    """The latest runs that did not succeed, since the exporter was started."""
    schedules: list[ScheduleView]
    queue: QueueView | None
    deployed: bool | None
    """Whether the current deployment holds it; ``None``: not told."""


class TaskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    tasks: list[TaskView]
    """One a target that knows the task."""


class WhyView(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    task: str
    cause: CauseView
    also: list[CauseView]
    unseen: list[str]
    """What could not be looked at."""
    last_success: str | None
    last_finished: str | None
    failures_in_a_row: int
    open: list[OpenView]
    queue: str | None
    version: str | None
    """Of its newest run."""
    alerts: list[AlertView] = []
    """About this task, pending ones too."""


class WhyList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    answers: list[WhyView]
    """One a target that knows the task."""


def task_row(sight: TaskSight, why: Why) -> TaskRow:
    told = [bar for bar in sight.bars if bar is not None]
    return TaskRow(
        target=sight.target,
        task=sight.task,
        leaf=why.cause.leaf.value,
        says=why.cause.says,
        last_success=iso_or_none(sight.last_success),
        last_finished=iso_or_none(sight.last_finished),
        failures_in_a_row=sight.failures,
        open=_open(sight),
        version=sight.version or None,
        ended=sum(bar.ended for bar in told),
        failed=sum(bar.failed for bar in told),
        bars=[None if bar is None else BarView(ended=bar.ended, failed=bar.failed) for bar in sight.bars],
    )


def task_view(target: Target, sight: TaskSight, error_of: ErrorOf, alerts: Sequence[AlertView] = ()) -> TaskView:
    """Everything about one task of one target. `alerts` are about the task, of whatever target."""
    why = explain(sight)
    ledger = target.ledger
    histograms = {} if ledger is None else ledger.histograms
    waits = histograms.get(("run_wait_seconds", (sight.task,)))
    lasts = [
        histogram
        for outcome in Outcome
        if (histogram := histograms.get(("run_duration_seconds", (sight.task, outcome.value)))) is not None
    ]
    return TaskView(
        why=why_view(sight, why, alerts),
        row=task_row(sight, why),
        wait=_timing([] if waits is None else [waits]),
        duration=_timing(lasts),
        versions=[] if ledger is None else _versions(ledger.recent.versions(sight.task)),
        unsuccessful=[_failed_run(target, run, error_of(run.id)) for run in sight.unsuccessful],
        schedules=[schedule_view(sight.target, sight.task, one) for one in sight.schedules],
        queue=None if sight.queue is None else queue_view(sight.target, sight.queue),
        deployed=sight.is_deployed,
    )


def _versions(known: Mapping[str, VersionSight]) -> list[VersionView]:
    newest_first = sorted(known.items(), key=lambda item: -item[1].first_created)
    return [
        VersionView(version=version or "none", first_seen=iso(sight.first_created), succeeded=sight.succeeded)
        for version, sight in newest_first
    ]


def _failed_run(target: Target, run: Ended, error: RunError | None) -> FailedRunView:
    return FailedRunView(
        id=run.id,
        url=run_url(target, run.id) or None,
        status=run.status,
        ended_at=iso(run.finished_at),
        version=run.version or None,
        error=None if error is None else ": ".join(filter(None, (error.name, error.message)))[:LONGEST],
    )


def _timing(histograms: Sequence[Histogram]) -> TimingView | None:
    if not sum(histogram.count for histogram in histograms):
        return None
    both = histograms[0].copy()
    for histogram in histograms[1:]:
        both.add(histogram)
    return TimingView(runs=both.count, half_ms=_bound(both, 0.5), most_ms=_bound(both, 0.95))


def _bound(histogram: Histogram, quantile: float) -> int | None:
    """The smallest bound below which that share of the values lies."""
    wanted, below = quantile * histogram.count, 0
    for bound, cell in zip(histogram.bounds, histogram.cells, strict=False):
        below += cell
        if below >= wanted:
            return bound
    return None


def schedule_view(target: str, task: str, one: ScheduleSight) -> ScheduleView:
    return ScheduleView(
        target=target,
        id=one.id,
        task=task,
        type=one.type,
        cron=one.cron,
        timezone=one.timezone,
        active=one.active,
        last_run=iso_or_none(one.last_run),
        next_run=iso_or_none(one.next_run),
        missed=len(one.missed),
        missed_since=iso(one.missed[0]) if one.missed else None,
    )


def queue_view(target: str, queue: Queue) -> QueueView:
    return QueueView(
        target=target,
        name=queue.name,
        type=queue.type,
        queued=queue.queued,
        running=queue.running,
        limit=queue.concurrency_limit,
        paused=queue.paused,
    )


def _open(sight: TaskSight) -> list[OpenView]:
    return [
        OpenView(status=status.value, count=group.count, oldest=iso(group.oldest), run=group.run_id)
        for status, group in (sight.open or {}).items()
    ]


def why_list(sights: Iterable[TaskSight], now: Instant, alerts: Sequence[AlertView] = ()) -> WhyList:
    return WhyList(at=iso(now), answers=[why_view(sight, explain(sight), alerts) for sight in sights])


def why_view(sight: TaskSight, why: Why, alerts: Sequence[AlertView] = ()) -> WhyView:
    return WhyView(
        target=sight.target,
        task=sight.task,
        cause=_cause(why.cause),
        also=[_cause(cause) for cause in why.also],
        unseen=list(why.unseen),
        last_success=iso_or_none(sight.last_success),
        last_finished=iso_or_none(sight.last_finished),
        failures_in_a_row=sight.failures,
        open=_open(sight),
        queue=sight.queue_name,
        version=sight.version or None,
        alerts=[alert for alert in alerts if alert.labels.get("target") == sight.target],
    )


def _cause(cause: Cause) -> CauseView:
    return CauseView(leaf=cause.leaf.value, says=cause.says, since=iso_or_none(cause.since), do=cause.do)
