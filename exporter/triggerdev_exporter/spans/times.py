"""The instants of a run, in an order that spans can have. Pure.

A scheduled run is created in the name of its slot, and may begin, and even end, before that. What it took is true and
is kept; its wait is none.
"""

from __future__ import annotations

from typing import NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.spans.due import Due, RunDue


class Times(NamedTuple):
    """Each is not before the one above, as far as there is one."""

    created: Instant
    delayed: Instant | None
    """When its delay was over; ``None`` if it had none."""
    queued: Instant
    dequeued: Instant
    """When its wait was over, if it ever started."""
    started: Instant | None
    finished: Instant
    reversed: bool
    """Some ran backwards, and were moved."""


def times_of(due: RunDue) -> Times:
    """The instants of `due`, moved as little as it takes."""
    finished = due.finished_at
    started = None if due.started_at is None else min(due.started_at, finished)
    first = finished if started is None else started
    created = min(due.created_at, first)
    delayed = None
    if due.delayed_until is not None and due.delayed_until > created:
        # A delay may be cut short: by a cancellation, or by hand.
        delayed = min(due.delayed_until, first)
    queued = created if delayed is None else delayed
    if due.queued_at is not None and queued <= due.queued_at <= first:
        queued = due.queued_at
    dequeued = first
    if due.dequeued_at is not None and queued <= due.dequeued_at <= first:
        dequeued = due.dequeued_at
    is_reversed = (created, started) != (due.created_at, due.started_at)
    return Times(created, delayed, queued, dequeued, started, finished, is_reversed)


def times_reversed(due: Due) -> bool:
    """Whether some of its times ran backwards, and are moved."""
    return times_of(due).reversed if isinstance(due, RunDue) else due.finished_at < due.created_at
