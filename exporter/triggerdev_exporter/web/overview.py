"""The first page as data: is something failing, since when, is the exporter itself well, and what did it send. Pure.

It answers the questions of somebody who was just woken, in that order; everything else is a page further.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import nsmallest

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.readings.task_sight import ScheduleSight, missed_slots
from triggerdev_exporter.target import Target
from triggerdev_exporter.web.alert_views import AlertView, NotificationView, ReceiverView
from triggerdev_exporter.web.target_views import TargetView
from triggerdev_exporter.web.task_views import QueueView, ScheduleView, TaskRow, queue_view, schedule_view

LISTED = 8
NEXT = 5


class AlertCounts(msgspec.Struct, frozen=True, kw_only=True):
    firing: int
    """Recovering ones included: they were told as firing and not yet as resolved."""
    pending: int
    silenced: int
    """Of the firing ones."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    at: str
    version: str
    not_ready: str | None
    """What is waited for after the start; ``None`` once that is over."""
    rules_reloaded: bool
    """``False``: the last attempt to read the rules anew failed, and older ones are in use."""
    alerts: AlertCounts | None
    """``None``: alerting is not running yet."""
    firing: list[AlertView]
    """The oldest; `alerts` says how many there are."""
    receivers: list[ReceiverView]
    """Those that do not get what they should."""
    notifications: list[NotificationView]
    """The newest."""
    targets: list[TargetView]
    tasks_known: int
    troubled: list[TaskRow]
    """Tasks with a trouble, the worst first."""
    busy: list[TaskRow]
    queues: list[QueueView]
    """Those that hold or stop most."""
    missed: list[ScheduleView]
    next: list[ScheduleView]


def full_queues(targets: Iterable[Target]) -> list[QueueView]:
    """Queues that hold runs, are full or paused; what waits most first."""
    found = [
        queue_view(target.name, queue)
        for target in targets
        for queue in target.sights.queues or ()
        if queue.queued or queue.paused or (queue.concurrency_limit is not None and queue.running > 0)
    ]
    found.sort(key=lambda one: (-one.queued, not one.paused, -one.running, one.name, one.target))
    return found[:LISTED]


def missed_schedules(targets: Iterable[Target]) -> list[ScheduleView]:
    """Active schedules whose latest slots no run met; those that miss most first."""
    found = [
        view
        for target in targets
        if target.ledger is not None
        for schedule_id, facts in target.ledger.schedules.items()
        if missed_slots(facts) and (view := _schedule(target, schedule_id)) is not None
    ]
    found.sort(key=lambda one: (-one.missed, one.id))
    return found[:LISTED]


def next_schedules(targets: Sequence[Target], now: Instant) -> list[ScheduleView]:
    """Those that are due next."""
    due = [
        (one.next_run, one.id, target)
        for target in targets
        for one in target.sights.schedules or ()
        if one.active and one.next_run is not None and one.next_run >= target.client.meter.server_now(now)
    ]
    nearest = nsmallest(NEXT, due, key=lambda item: (item[0], item[1]))
    views = (_schedule(target, schedule_id) for _, schedule_id, target in nearest)
    return [view for view in views if view is not None]


def _schedule(target: Target, schedule_id: str) -> ScheduleView | None:
    facts = None if target.ledger is None else target.ledger.schedules.get(schedule_id)
    if facts is None:
        return None
    told = next((one for one in target.sights.schedules or () if one.id == schedule_id), None)
    sight = ScheduleSight(
        id=schedule_id,
        cron=facts.cron,
        timezone=facts.timezone,
        type=facts.type,
        active=facts.active,
        missed=missed_slots(facts),
        last_run=facts.last_run,
        next_run=None if told is None else told.next_run,
    )
    return schedule_view(target.name, facts.task, sight)
