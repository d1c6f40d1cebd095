"""Whose child a run is, where TRQL did not tell: retrieved one by one, within the share, or given up after a while.

It runs beside the collectors, never within one of their steps: a tree that cannot be known keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import logging

from triggerdev_alerts.trouble import Trouble
from triggerdev_alerts.waiting import wait_for
from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.clock import MINUTE, SECOND, Clock, Instant
from triggerdev_exporter.collect.enrichment import ASKS, EVERY, PART
from triggerdev_exporter.errors import ApiError, NotFound, StateError
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.span_news import retrieved, seal_as_they_are
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.spans.due import RunDue
from triggerdev_exporter.target import Target

log = logging.getLogger(__name__)

LOOK_EVERY = 5 * SECOND
ENOUGH = ASKS * EVERY + 30 * SECOND
"""After that long TRQL has told what it tells."""
PATIENCE = 5 * MINUTE
"""After that long a run is exported without a parent."""
_MOST = 5_000


class Relatives:
    """Seals the rows of one target that nobody will tell more of."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        self._trouble = Trouble()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set or the task is cancelled."""
        while not stop.is_set():
            try:
                await self.step(self._target.server_now())
                if self._trouble.ends():
                    log.info("spans can be sealed again", extra={"target": self._target.name})
            except StateError as error:
                if self._trouble.begins(str(error)):
                    log.error("spans cannot be sealed", extra={"target": self._target.name, "why": str(error)})
            except Exception as error:
                if self._trouble.begins(repr(error)):
                    log.exception("looking for relatives broke", extra={"target": self._target.name})
            await wait_for(self._clock, LOOK_EVERY, stop)

    async def step(self, now: Instant) -> None:
        """Look at what waits at `now` (server time). Raises `StateError`."""
        journal, dialect = self._target.journal, self._target.dialect
        if journal is None or dialect is None or not journal.ledger.waiting_spans:
            return
        until = now - ENOUGH if journal.ledger.enriched else now
        rows = await journal.first_spans(sealed=False, until=until, most=_MOST)
        done = [key for key, row in rows.items() if _is_over(row, now)]
        for start in range(0, len(done), PART):
            await self._seal(journal, done[start : start + PART], now)
        for key, row in rows.items():
            if not _is_over(row, now):
                if self._target.is_shut(self._clock.now()) or not self._target.client.allowance(Priority.CATCH_UP):
                    return
                if not await self._ask(dialect, journal, key, now):
                    return

    async def _ask(self, dialect: Dialect, journal: Journal, run_id: str, now: Instant) -> bool:
        """Whether the next one may be asked for too."""
        try:
            run = await self._target.client.fetch(dialect.run(run_id), Priority.CATCH_UP)
        except NotFound as error:
            if not error.is_json:
                return False
            await self._seal(journal, [run_id], now)
        except ApiError as error:
            log.debug("a run's relatives cannot be read", extra={"target": self._target.name, "why": str(error)})
            return False
        else:
            await journal.write(lambda draft: retrieved(draft, run, now=now), spans=[run_id])
        return True

    async def _seal(self, journal: Journal, keys: list[str], now: Instant) -> None:
        await journal.write(lambda draft: seal_as_they_are(draft, keys, now=now), spans=keys)


def _is_over(row: SpanRow, now: Instant) -> bool:
    """Whether there is nothing more to ask for: its family is known, or it was asked for long enough."""
    return not isinstance(row.due, RunDue) or row.due.knows_family or now - row.since >= PATIENCE
