"""TRQL: one fixed statement, at most once a minute, that adds queue, batch and attempts to runs the ledger knows.

It never counts a run. Its failure never fails the runs: an error is counted and told once, a refusal is looked at again
after an hour.
"""

from __future__ import annotations

import logging

import msgspec

from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.errors import ApiError, Forbidden, NotFound, Unauthorized
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.run_news import enrich
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.thing_news import follow_batches
from triggerdev_exporter.records import Enrichment
from triggerdev_exporter.target import LOOK_AGAIN, Target

log = logging.getLogger(__name__)

EVERY = MINUTE
PART = 200
"""Rows of one transaction: there may be 10,000, and whoever shares the event loop waits for one part only."""
ASKS = 2
"""How often after a change: the view that answers may be behind the list that told us."""


class Enricher:
    """Asks only when runs have changed since it last asked: an idle project costs nothing."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._next: Instant = 0
        self._asks = ASKS
        self._failing: str | None = None
        self._refused = False

    def expects(self, dialect: Dialect) -> bool:
        """Whether runs that end are likely to be told of."""
        return not self._refused and dialect.enrichment() is not None

    def noticed(self, news: News) -> None:
        """Runs changed: there may be something to add."""
        if news.settled or any(kind is Kind.RUN for kind, _ in news.facts):
            self._asks = ASKS

    async def step(self, now: Instant) -> None:
        dialect, _ = await self._target.open()
        call = dialect.enrichment()
        if call is None or not self._asks or now < self._next or not self._target.client.allowance(Priority.SETTLE):
            return
        self._next = now + EVERY
        try:
            rows = await self._target.client.fetch(call, Priority.SETTLE)
        except (Unauthorized, Forbidden, NotFound) as error:
            self._next = now + LOOK_AGAIN
            self._refused = True
            self._failed(error)
            return
        except ApiError as error:
            self._failed(error)
            return
        if self._failing is not None:
            log.info("enrichment works again", extra={"target": self._target.name})
            self._failing = None
        self._refused = False
        self._asks -= 1
        await self._take_in(rows, now)

    async def _take_in(self, rows: tuple[Enrichment, ...], now: Instant) -> None:
        """Part by part. Rows come newest first, and the newest has the last word on its task's queue: so backwards."""
        _, journal = await self._target.open()
        for start in reversed(range(0, len(rows), PART)):
            await self._take_in_part(journal, rows[start : start + PART], now)

    async def _take_in_part(self, journal: Journal, rows: tuple[Enrichment, ...], now: Instant) -> None:
        batches = sorted({row.batch_id for row in rows if row.batch_id})
        told = next((row for row in rows if row.project), None)

        def decide(draft: Draft) -> None:
            enrich(draft, rows, now=now)
            follow_batches(draft, batches)
            if told is not None:
                known = msgspec.structs.replace(
                    draft.coverage(), project=told.project, environment_type=told.environment_type
                )
                draft.put(Kind.COVERAGE, "", known)

        ended = [row.run_id for row in rows if row.run_id not in journal.ledger.runs]
        await journal.write(decide, lookup=hashes(Kind.RUN, ended) + hashes(Kind.BATCH, batches), spans=ended)

    def _failed(self, error: ApiError) -> None:
        self._target.states["runs"].errors[error.reason] += 1
        if self._failing != error.reason:
            log.warning(
                "enrichment failing; queues, batches and attempts of runs are missing meanwhile",
                extra={"target": self._target.name, "reason": error.reason, "why": str(error)},
            )
        self._failing = error.reason
