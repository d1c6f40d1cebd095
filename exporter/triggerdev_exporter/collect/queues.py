"""Queues: live depth, running, limits. The live plane, right even while the run view is down."""

from __future__ import annotations

from typing import ClassVar

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.collect.suspicion import Suspicion
from triggerdev_exporter.collect.walk import whole_list
from triggerdev_exporter.target import Target


class QueuesCollector:
    """Reads all queues at each step and replaces the sight of them."""

    name: ClassVar[str] = "queues"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._suspicion = Suspicion("queues")

    async def step(self, now: Instant) -> bool:
        target = self._target
        dialect, _ = await target.open()
        queues = await whole_list(target.client, dialect.queues, lambda queue: queue.name)
        before = target.sights.queues
        if not queues and before:
            queues = await whole_list(target.client, dialect.queues, lambda queue: queue.name)
        self._suspicion.weigh(was=len(before or ()), now=len(queues))
        target.sights.queues, target.sights.queues_at = queues, now
        return True
