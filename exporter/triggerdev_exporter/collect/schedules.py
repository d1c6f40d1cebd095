"""Schedules: what is due next, what ran last, which slots were missed."""

from __future__ import annotations

from typing import ClassVar

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.collect.suspicion import Suspicion
from triggerdev_exporter.collect.walk import whole_list
from triggerdev_exporter.ledger import coverage, slots
from triggerdev_exporter.target import Target


class SchedulesCollector:
    """Reads all schedules at each step and judges the slots that came due since."""

    name: ClassVar[str] = "schedules"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._suspicion = Suspicion("schedules")

    async def step(self, now: Instant) -> bool:
        target = self._target
        dialect, journal = await target.open()
        found = await whole_list(target.client, dialect.schedules, lambda schedule: schedule.id)
        if not found and journal.ledger.schedules:
            found = await whole_list(target.client, dialect.schedules, lambda schedule: schedule.id)
        self._suspicion.weigh(was=len(journal.ledger.schedules), now=len(found))
        covered = journal.ledger.coverage
        # Until the runs are read, a missing run is our own blindness, not a missed slot.
        until = coverage.complete_until(covered) if covered is not None and covered.looked_back else 0
        blind = target.blind_to_slots()
        await journal.write(lambda draft: slots.look(draft, found, now=now, complete_until=until, blind=blind))
        target.sights.schedules = found
        return True
