"""Batches: no endpoint lists them, so they are followed by id, from whoever mentioned one, until they end."""

from __future__ import annotations

from typing import ClassVar

from triggerdev_exporter.api.calls import Priority
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.errors import NotFound
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.thing_news import batch_not_found, batch_sight, follow_batches
from triggerdev_exporter.target import Target

LONGEST_PAUSE = 10 * MINUTE


class BatchesCollector:
    """Asks after each open batch; after an old one less and less often, so that a stuck crowd costs little."""

    name: ClassVar[str] = "batches"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._due: dict[str, Instant] = {}

    async def step(self, now: Instant) -> bool:
        target = self._target
        _, journal = await target.open()
        told = target.config.batches
        await journal.write(lambda draft: follow_batches(draft, told), lookup=hashes(Kind.BATCH, told))
        waiting = sorted(journal.ledger.batches, key=lambda batch_id: self._due.get(batch_id, 0))
        for batch_id in waiting:
            if self._due.get(batch_id, 0) > now or not target.client.allowance(Priority.SETTLE):
                break
            await self._look(batch_id, now)
        self._due = {batch_id: due for batch_id, due in self._due.items() if batch_id in journal.ledger.batches}
        return True

    async def _look(self, batch_id: str, now: Instant) -> None:
        dialect, journal = await self._target.open()
        lookup = hashes(Kind.BATCH, [batch_id])
        # If it cannot be read, the others come first at the next step.
        self._due[batch_id] = now + 2 * self._target.states[self.name].interval_ms
        try:
            batch = await self._target.client.fetch(dialect.batch(batch_id), Priority.SETTLE)
        except NotFound as error:
            if not error.is_json:
                raise
            self._due[batch_id] = now + self._target.states[self.name].interval_ms
            news = await journal.write(lambda draft: batch_not_found(draft, batch_id, now=now), lookup=lookup)
            self._target.told(self.name, news.notices)
            return

        def decide(draft: Draft) -> None:
            batch_sight(draft, batch, now=now)

        await journal.write(decide, lookup=lookup)
        self._due[batch_id] = now + min((now - batch.created_at) // 20, LONGEST_PAUSE)
