"""From a written test to the story it tells. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggerdev_alerts.history.story import (
    COLLECTORS,
    Level,
    Outage,
    QueueSight,
    Story,
    StoryBatch,
    StoryDeployment,
    StoryRun,
    StorySchedule,
    StoryToken,
    TargetStory,
)
from triggerdev_alerts.history.written import (
    BATCH_ENDS,
    Given,
    GivenBatch,
    GivenDeployment,
    GivenOutage,
    GivenQueue,
    GivenRuns,
    GivenSchedule,
    WrittenTest,
)
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import OPEN_STATUSES, Blind

_OPEN_DEPLOYMENTS = ("PENDING", "INSTALLING", "BUILDING", "DEPLOYING")


def tell(test: WrittenTest) -> Story:
    """The story of a test; run ids count up in the order in which the runs are written."""
    given = test.given
    told = [each for name in type(given).model_fields for each in getattr(given, name)]
    names = sorted({each.target or test.target for each in told} | {test.target})
    return Story(start=test.start, targets=tuple(_target(test, name) for name in names), poll=test.poll)


def end_of(test: WrittenTest) -> Instant:
    """The last instant that the test is about."""
    if test.lasts is not None:
        return test.start + test.lasts
    return test.start + max(0, *_offsets(test))


def _offsets(test: WrittenTest) -> Iterator[int]:
    given = test.given
    for expected in test.expect:
        yield expected.at or 0
    for runs in given.runs:
        for at in _instants(runs):
            yield at + runs.delay + max(0, runs.wait) + runs.duration
        yield runs.ends_at or 0
    for queue in given.queues:
        yield queue.at + max(queue.depth or (0,))
    for schedule in given.schedules:
        yield max(schedule.slots or (0,))
    for batch in given.batches:
        yield batch.at + batch.duration
    for deployment in given.deployments:
        yield deployment.at + deployment.duration
    for token in given.waitpoints:
        yield token.completed_at or token.at
    for levels in (given.view_lag, given.quota, given.clock_skew):
        yield from (level.at for level in levels)
    for outage in given.outages:
        yield outage.until or outage.from_


def _target(test: WrittenTest, name: str) -> TargetStory:
    given, start = _of(test.given, name, test.target), test.start
    return TargetStory(
        name=name,
        runs=tuple(_runs(given.runs, start)),
        queues=tuple(_queues(given.queues, start)),
        schedules=tuple(_schedule(each, start) for each in given.schedules),
        batches=tuple(_batch(each, start) for each in given.batches),
        deployments=tuple(_deployment(each, start) for each in given.deployments),
        tokens=tuple(
            StoryToken(
                created=start + each.at,
                completed=None if each.completed_at is None else start + each.completed_at,
            )
            for each in given.waitpoints
            for _ in range(each.count)
        ),
        view_lag=tuple(Level(start + each.at, each.lag) for each in given.view_lag),
        quota=tuple(Level(start + each.at, each.remaining) for each in given.quota),
        skew=tuple(Level(start + each.at, each.skew) for each in given.clock_skew),
        outages=tuple(_outage(each, start) for each in given.outages),
        known_since=start if test.fresh else None,
    )


def _of(given: Given, name: str, default: str) -> Given:
    """What is given for one target."""
    return given.model_copy(
        update={
            field: tuple(each for each in getattr(given, field) if (each.target or default) == name)
            for field in type(given).model_fields
        }
    )


def _instants(runs: GivenRuns) -> Iterator[int]:
    """Offsets of the creations, one a run."""
    count = runs.count or 1
    if runs.every is None:
        yield from (runs.at for _ in range(count))
    elif runs.until is None:
        yield from (runs.at + n * runs.every for n in range(count))
    else:
        for at in range(runs.at, runs.until, runs.every):
            yield from (at for _ in range(count))


def _runs(given: Iterable[GivenRuns], start: Instant) -> Iterator[StoryRun]:
    number = 0
    for runs in given:
        name, _, message = (runs.error or "").partition(":")
        for offset in _instants(runs):
            number += 1
            created = start + offset
            due = created + runs.delay if runs.delay else None
            started, finished = _life(runs, (due or created) + runs.wait, start)
            yield StoryRun(
                id=f"run_{number:05d}",
                task=runs.task,
                status=runs.status,
                created=created,
                due=due,
                started=started,
                finished=finished,
                visible_at=None if runs.late is None else created + runs.late,
                queue=runs.queue or f"task/{runs.task}",
                version=runs.version or "",
                tags=runs.tags,
                cost=runs.cost,
                is_test=runs.test,
                error=(name.strip(), message.strip()),
            )


def _life(runs: GivenRuns, begins: Instant, start: Instant) -> tuple[Instant | None, Instant | None]:
    """When a run starts and when it ends: one that expires never starts, one in an open status may never end."""
    ends = None if runs.ends_at is None else start + runs.ends_at
    if runs.status in OPEN_STATUSES:
        return (begins if runs.status in ("EXECUTING", "DEQUEUED", "WAITING") else None), ends
    if runs.status == "EXPIRED":
        return None, begins
    return begins, begins + runs.duration


def _queues(given: Iterable[GivenQueue], start: Instant) -> Iterator[QueueSight]:
    """What is not written stays as it was, so sights are built on one another, in the order of time."""
    last: dict[str, QueueSight] = {}
    for offset, given_queue, depth in sorted(_steps(given), key=lambda step: step[0]):
        name = given_queue.queue
        before = last.get(name, QueueSight(queue=name, at=start))
        sight = QueueSight(
            queue=name,
            at=start + offset,
            depth=before.depth if depth is None else depth,
            running=before.running if given_queue.running is None else given_queue.running,
            limit=before.limit if given_queue.limit is None else given_queue.limit,
            paused=before.paused if given_queue.paused is None else given_queue.paused,
            gone=given_queue.gone,
        )
        last[name] = sight
        yield sight


def _steps(given: Iterable[GivenQueue]) -> Iterator[tuple[int, GivenQueue, int | None]]:
    for queue in given:
        if queue.depth is None:
            yield queue.at, queue, None
        else:
            for offset, depth in queue.depth.items():
                yield queue.at + offset, queue, depth


def _schedule(given: GivenSchedule, start: Instant) -> StorySchedule:
    return StorySchedule(
        id=given.schedule,
        task=given.task,
        slots=tuple(sorted(start + slot for slot in given.slots or ())),
        cron=given.cron or "",
        timezone=given.timezone,
        known_since=start + given.at,
        until=None if given.until is None else start + given.until,
        type=given.type,
    )


def _batch(given: GivenBatch, start: Instant) -> StoryBatch:
    created = start + given.at
    return StoryBatch(
        status=given.status,
        created=created,
        ended=created + given.duration if given.status in BATCH_ENDS else None,
        items=given.items,
        failed=given.failed,
    )


def _deployment(given: GivenDeployment, start: Instant) -> StoryDeployment:
    created = start + given.at
    return StoryDeployment(
        status=given.status,
        created=created,
        ended=None if given.status in _OPEN_DEPLOYMENTS else created + given.duration,
        version=given.version or "",
    )


def _outage(given: GivenOutage, start: Instant) -> Outage:
    return Outage(
        start=start + given.from_,
        end=None if given.until is None else start + given.until,
        collectors=given.collector or COLLECTORS,
        reason=Blind.VANISHED if given.reason == "empty" else Blind(given.reason),
    )
