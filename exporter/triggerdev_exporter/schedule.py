"""When collectors are woken: APScheduler around `tick`. It only wakes; what is due is decided by the steps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from triggerdev_exporter.clock import SECOND, Clock, machine_time
from triggerdev_exporter.collect.collector import Collector, tick
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

WATCH_EVERY_S = 15.0
LARGEST_DRIFT_S = 30.0
PARTING_S = 2.0
"""How long running ticks may go on after a stop: what they read is committed, nobody waits for an API that hangs."""


class Wakes:
    """Wakes each (target, collector) every interval, with jitter, one at a time, late rather than never."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._running: dict[asyncio.Task[object], str] = {}
        """Ticks that are under way, by the target they ask."""
        self._ended: set[asyncio.Task[object]] = set()
        self._stopping = False
        self._last = (clock.now(), clock.monotonic())

    def add(self, target: Target, collectors: Sequence[Collector]) -> None:
        """Wake the `collectors` of `target`, the first time at once."""
        for collector in collectors:
            seconds = target.states[collector.name].interval_ms / SECOND / self._clock.speed
            self._scheduler.add_job(
                self._wake,
                # Jitter keeps many daemons from asking in the same second.
                IntervalTrigger(seconds=seconds, jitter=min(seconds / 10, 5.0), timezone=UTC),
                args=(target, collector),
                id=f"{target.name}/{collector.name}",
                next_run_time=machine_time(),
            )

    def start(self) -> None:
        self._scheduler.add_job(self._watch, IntervalTrigger(seconds=WATCH_EVERY_S, timezone=UTC), id="watchdog")
        self._scheduler.start()

    async def stop(self) -> None:
        """Wake nobody any more, let running ticks end, and end those that do not."""
        self._stopping = True
        if self._scheduler.running:
            self._scheduler.pause()
        await self._part(set(self._running))
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def remove(self, target: Target) -> None:
        """Wake `target` no more, let its running ticks end, and end those that do not."""
        for name in target.states:
            job = self._scheduler.get_job(f"{target.name}/{name}")
            if job is not None:
                job.remove()
        await self._part({task for task, name in self._running.items() if name == target.name})

    async def _part(self, running: set[asyncio.Task[object]]) -> None:
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=PARTING_S)
        self._ended |= late
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wake(self, target: Target, collector: Collector) -> None:
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - a coroutine always runs in a task
            return
        if self._stopping:
            return
        self._running[task] = target.name
        try:
            await tick(target, collector)
        except asyncio.CancelledError:
            # Only `_part` cancels. The scheduler would log it as a job that failed, with a traceback.
            if task not in self._ended:
                raise
        finally:
            self._ended.discard(task)
            del self._running[task]

    async def _watch(self) -> None:
        wall, steady = self._clock.now(), self._clock.monotonic()
        drift = (wall - self._last[0]) / SECOND - (steady - self._last[1])
        self._last = (wall, steady)
        if abs(drift) <= LARGEST_DRIFT_S:
            return
        # The scheduler plans in wall time: set back by an hour, it would sleep for that hour.
        log.warning("the clock jumped; all collectors are woken now", extra={"seconds": round(drift, 1)})
        for job in self._scheduler.get_jobs():
            if job.id != "watchdog":
                job.modify(next_run_time=machine_time())
