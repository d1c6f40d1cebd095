"""Cron slots as instants. Computed by `cronsim`, in the schedule's own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from triggerdev_exporter.clock import Instant


def slots(cron: str, timezone: str, after: Instant) -> Iterator[Instant]:
    """The slots strictly after `after`, one by one, without end."""
    # cronsim rounds down to whole seconds, and starts after the instant it is given.
    here = datetime.fromtimestamp(after // 1000, UTC).astimezone(ZoneInfo(timezone))
    for slot in CronSim(cron, here):
        yield int(slot.timestamp()) * 1000


def next_slot(cron: str, timezone: str, after: Instant) -> Instant:
    """The first slot strictly after `after`."""
    return next(slots(cron, timezone, after))


@lru_cache(maxsize=1024)
def describe(cron: str) -> str:
    """`cron` in words."""
    return CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)).explain()
