"""When a group of rules is evaluated. Pure arithmetic on instants; who waits for them is elsewhere."""

from __future__ import annotations

import hashlib

from triggerdev_alerts.instants import SECOND, Instant
from triggerdev_alerts.rules.model import Group
from triggerdev_alerts.signals import CELL

LARGEST_OFFSET = 30 * SECOND
"""Groups are spread over that much of an interval, so that a person can still tell when one is evaluated."""


def offset(group: Group) -> int:
    """How long after each multiple of its interval the group is evaluated, milliseconds; always the same for a name.

    A multiple of the width of cells: windows that end at a tick then end where cells do.
    """
    if group.exact:
        return 0
    spread = min(group.interval, LARGEST_OFFSET)
    digest = hashlib.sha256(group.name.encode("utf-8", "surrogatepass")).digest()
    chosen = int.from_bytes(digest[:8], "big") % spread
    return chosen - chosen % CELL


def latest_tick(group: Group, now: Instant) -> Instant:
    """The last tick at or before `now`."""
    start = offset(group)
    return now - (now - start) % group.interval


def next_tick(group: Group, now: Instant) -> Instant:
    """The first tick after `now`."""
    return latest_tick(group, now) + group.interval


def missed(group: Group, due: Instant, now: Instant) -> int:
    """How many ticks from `due` (the first that was not evaluated) on are skipped if only the latest one is evaluated.

    0 where `due` is still to come.
    """
    return max(0, (latest_tick(group, now) - latest_tick(group, due)) // group.interval)
