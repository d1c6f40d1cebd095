"""What a story says of queues, batches, deployments and tokens. Each function is one row of `signals.SIGNALS`."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from triggerdev_alerts.history.story import (
    DEPLOYMENT_FAILURES,
    QueueSight,
    Story,
    StoryBatch,
    TargetStory,
)
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import Key, Question, Readings, aligned


def queue_depth(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _queues(target, question, at, lambda sight: sight.depth if question.is_of(paused=sight.paused) else 0)


def queue_running(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _queues(target, question, at, lambda sight: sight.running if question.is_of(paused=sight.paused) else 0)


def queue_limit(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _queues(target, question, at, lambda sight: sight.limit)


def queue_paused(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    """Absent for a queue that is not paused."""
    return _queues(target, question, at, lambda sight: 1 if sight.paused else None)


def batch_items(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _items(target, question, at, lambda batch: batch.items)


def batch_items_failed(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _items(target, question, at, lambda batch: batch.failed)


def batches_open_older(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _count(
        sum(
            1
            for batch in target.batches
            if batch.ended is None
            and batch.status in question.statuses
            and batch.created <= at
            and at - batch.created > question.older_than
        )
        # One that ends later is PROCESSING until then.
        + sum(
            1
            for batch in target.batches
            if batch.ended is not None
            and batch.created <= at < batch.ended
            and "PROCESSING" in question.statuses
            and at - batch.created > question.older_than
        )
    )


def deployment_failed(_: Story, target: TargetStory, __: Question, at: Instant) -> Readings:
    """By the newest deployment that succeeded or failed; a canceled one says nothing. Absent before the first."""
    ended = [
        deployment
        for deployment in target.deployments
        if deployment.ended is not None and deployment.ended <= at and deployment.status != "CANCELED"
    ]
    if not ended:
        return Readings({})
    newest = max(ended, key=lambda deployment: (deployment.created, deployment.ended or 0, deployment.version))
    return Readings({(): 1.0 if newest.status in DEPLOYMENT_FAILURES else 0.0})


def deployments_open_older(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _count(
        sum(
            1
            for deployment in target.deployments
            if deployment.created <= at
            and (deployment.ended is None or at < deployment.ended)
            and at - deployment.created > question.older_than
        )
    )


def waitpoints_open_older(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    return _count(
        sum(
            1
            for token in target.tokens
            if token.created <= at
            and (token.completed is None or at < token.completed)
            and at - token.created > question.older_than
        )
    )


def _count(number: int) -> Readings:
    return Readings({(): float(number)} if number else {})


def sights_at(target: TargetStory, at: Instant) -> dict[str, QueueSight]:
    """The queues that exist at `at`, as they are."""
    latest: dict[str, QueueSight] = {}
    for sight in target.queues:
        if sight.at <= at and (sight.queue not in latest or latest[sight.queue].at <= sight.at):
            latest[sight.queue] = sight
    return {name: sight for name, sight in latest.items() if not sight.gone}


def _queues(
    target: TargetStory, question: Question, at: Instant, number: Callable[[QueueSight], int | None]
) -> Readings:
    """One number a queue; without `queue` in `by`, their sum."""
    values: dict[Key, float] = {}
    for name, sight in sights_at(target, at).items():
        value = number(sight)
        if value is None or not _fits(question, name):
            continue
        key = (name,) if question.by else ()
        values[key] = values.get(key, 0.0) + value
    return Readings(values)


def _fits(question: Question, queue: str) -> bool:
    globs = question.where.queue
    return not globs or any(fnmatchcase(queue, glob) for glob in globs)


def _items(target: TargetStory, question: Question, at: Instant, number: Callable[[StoryBatch], int]) -> Readings:
    window = question.window or 0
    end = aligned(at - question.ago, window)
    ended = [batch for batch in target.batches if batch.ended is not None and end - window < batch.ended <= end]
    return Readings({(): float(sum(number(batch) for batch in ended))} if ended else {})
