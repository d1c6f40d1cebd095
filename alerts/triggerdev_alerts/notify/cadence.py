"""When a group speaks: its wait, its grid of flushes, its repeat timer. Instants only; what it says is not here.

The first flush sets a grid with a step of `group_interval`, which stays for the group's life, also over absences of
ours. A repetition has a timer of its own and is not rounded to the grid.
"""

from __future__ import annotations

from triggerdev_alerts.book import GroupEntry
from triggerdev_alerts.instants import SECOND, Instant
from triggerdev_alerts.rules.model import Route


def first_flush(route: Route, fired_at: Instant, now: Instant) -> Instant:
    """When a new group may speak: `group_wait` after the alert fired, at once if that is past (after a restart)."""
    return max(now, min(fired_at, now) + route.group_wait)


def is_on_grid(entry: GroupEntry, route: Route, now: Instant) -> bool:
    """Whether the group's next flush is due.

    One that is further away than any setting allows was planned before the clock was set back or the settings were
    changed; it is due too, and that starts a new grid.
    """
    return entry.next_flush <= now or entry.next_flush > now + max(route.group_wait, _step(route))


def next_flush(entry: GroupEntry, route: Route, now: Instant) -> Instant:
    """The first instant of the grid after `now`; whole intervals that passed meanwhile are skipped."""
    if not is_on_grid(entry, route, now):
        return entry.next_flush
    anchor = min(entry.next_flush, now)
    return anchor + ((now - anchor) // _step(route) + 1) * _step(route)


def is_repeat_due(entry: GroupEntry, now: Instant) -> bool:
    return 0 < entry.repeat_at <= now


def repeat_after(route: Route, repeats: int) -> int:
    """Milliseconds from a message to its repetition, after so many repetitions."""
    backoff = route.repeat_backoff
    if backoff.factor <= 1 or route.repeat_interval >= backoff.most:
        return route.repeat_interval
    # Beyond a hundred every factor that means something has reached the most; without a bound it overflows.
    return int(min(route.repeat_interval * backoff.factor ** min(repeats, 100), backoff.most))


def due_at(entry: GroupEntry, route: Route, now: Instant) -> Instant:
    """The earliest instant at which a flush would look at this group."""
    if is_on_grid(entry, route, now):
        return min(now, entry.next_flush)
    return min(entry.next_flush, entry.repeat_at) if entry.repeat_at else entry.next_flush


def _step(route: Route) -> int:
    return max(route.group_interval, SECOND)  # below, the engine would do nothing but flush
