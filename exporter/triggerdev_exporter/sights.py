"""What a target looked like when last seen: live values that are replaced whole and never saved. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.records import Deployment, Queue, Schedule


@dataclass(slots=True)
class Sights:
    """``None`` means: not seen since this process began."""

    queues: tuple[Queue, ...] | None = None
    queues_at: Instant = 0
    schedules: tuple[Schedule, ...] | None = None
    deployment: Deployment | None = None
    """The current one."""
    deployed_tasks: tuple[str, ...] = ()
    view_lag_ms: int | None = None

    def live_work(self) -> int | None:
        """Runs that the live plane says are queued or running; ``None`` while nobody looked."""
        if self.queues is None:
            return None
        return sum(queue.queued + queue.running for queue in self.queues)
