"""What the API answers about tasks, as a closed set of structs, and how each is made of what is known. Pure.

Instants are RFC 3339 in UTC. Fields are only ever added within a major version.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.readings.task_sight import TaskSight
from triggerdev_exporter.readings.why import Cause, Why, explain


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


class WhyList(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    answers: list[WhyView]
    """One a target that knows the task."""


def why_list(sights: Iterable[TaskSight], now: Instant) -> WhyList:
    return WhyList(at=iso(now), answers=[why_view(sight, explain(sight)) for sight in sights])


def why_view(sight: TaskSight, why: Why) -> WhyView:
    return WhyView(
        target=sight.target,
        task=sight.task,
        cause=_cause(why.cause),
        also=[_cause(cause) for cause in why.also],
        unseen=list(why.unseen),
        last_success=instant(sight.last_success),
        last_finished=instant(sight.last_finished),
        failures_in_a_row=sight.failures,
        open=[
            OpenView(status=status.value, count=group.count, oldest=iso(group.oldest), run=group.run_id)
            for status, group in (sight.open or {}).items()
        ],
        queue=sight.queue_name,
        version=sight.version or None,
    )


def _cause(cause: Cause) -> CauseView:
    return CauseView(leaf=cause.leaf.value, says=cause.says, since=instant(cause.since), do=cause.do)


def instant(at: Instant | None) -> str | None:
    return iso(at) if at else None
