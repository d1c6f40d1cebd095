"""Taking in runs, wherever they were read: one transaction for all they change, and what a step learnt by it.

Pages that follow each other quickly share a transaction, since most of what one costs is not by run. A kill then makes
us read them again, and changes no number: what they count and how far was read are in that one transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.errors import ApiError
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Kind
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.news import News
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.ledger.settled import hashes
from triggerdev_exporter.ledger.thing_news import follow_batches
from triggerdev_exporter.records import Run
from triggerdev_exporter.target import Target

MOST_TOGETHER = 20
"""Pages of one transaction."""
PATIENCE_S = 1.0
"""How long a page waits for those that share its transaction."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page of runs, and what is decided with it."""

    runs: Sequence[Run]
    also: Callable[[Draft], None] | None

    @property
    def batches(self) -> list[str]:
        """Lists do not tell it; a run that was retrieved does."""
        return sorted({run.batch_id for run in self.runs if run.batch_id})


class Intake:
    """The one door through which runs get into a target's ledger. `begin` forgets what the last step learnt."""

    def __init__(self, target: Target, noticed: Callable[[News], None]) -> None:
        self._target = target
        self._noticed = noticed
        self.seen: set[str] = set()
        """Ids of all runs that this step saw."""
        self.new_runs = 0
        self.lateness = 0
        """How late the latest new run became visible, in milliseconds, against the walk that should have shown it."""
        self._waiting: list[_Sheet] = []
        self._waiting_since = 0.0
        self._since = 0.0
        """When the last page came, or the first one was asked for; monotonic, like the one before."""

    def begin(self) -> None:
        self.seen, self.new_runs, self.lateness = set(), 0, 0
        self._waiting = []

    async def take_in(self, journal: Journal, runs: Sequence[Run], now: Instant) -> None:
        """Commit runs."""
        await self._commit(journal, [_Sheet(runs, None)], now)

    @asynccontextmanager
    async def together(self, journal: Journal, now: Instant) -> AsyncIterator[None]:
        """Within, `add` what is read page by page. What was read before an `ApiError` is kept."""
        self._since = self._target.clock.monotonic()
        try:
            yield
        except ApiError:
            await self.flush(journal, now)
            raise
        await self.flush(journal, now)

    async def add(
        self, journal: Journal, runs: Sequence[Run], now: Instant, also: Callable[[Draft], None] | None = None
    ) -> None:
        """Commit a page of runs, now or with the pages that follow; `also` is decided after them, with them."""
        came = self._target.clock.monotonic()
        took, self._since = came - self._since, came
        if not self._waiting:
            self._waiting_since = came
        self._waiting.append(_Sheet(runs, also))
        # The next one is likely to take as long.
        if len(self._waiting) >= MOST_TOGETHER or came + took - self._waiting_since > PATIENCE_S:
            await self.flush(journal, now)

    async def flush(self, journal: Journal, now: Instant) -> None:
        """Commit the pages that wait."""
        sheets, self._waiting = self._waiting, []
        if sheets:
            await self._commit(journal, sheets, now)

    async def _commit(self, journal: Journal, sheets: Sequence[_Sheet], now: Instant) -> None:
        runs = [run.id for sheet in sheets for run in sheet.runs]
        batches = sorted({batch for sheet in sheets for batch in sheet.batches})
        news = await journal.write(
            *[partial(self._decide, sheet, now) for sheet in sheets],
            lookup=hashes(Kind.RUN, runs) + hashes(Kind.BATCH, batches),
            pause=partial(self._target.clock.sleep, 0),
        )
        self.seen.update(runs)
        self._noticed(news)
        self._target.told("runs", news.notices)
        self._target.overflowed(news.overflow)

    def _decide(self, sheet: _Sheet, now: Instant, draft: Draft) -> None:
        self._check_environment(draft, sheet.runs)
        new = sight(draft, sheet.runs, now=now, count_tests=self._target.config.test_runs)
        self._measure_lateness(draft.coverage(), new)
        follow_batches(draft, sheet.batches)
        if sheet.also is not None:
            sheet.also(draft)

    def _check_environment(self, draft: Draft, runs: Sequence[Run]) -> None:
        """Refuse a key of another environment: its runs would be added to the counters of this one."""
        coverage = draft.coverage()
        told = self._target.check_environment(coverage, runs)
        if told is not None and coverage.environment_id is None:
            known = msgspec.structs.replace(coverage, environment_id=told.environment_id, environment=told.environment)
            draft.put(Kind.COVERAGE, "", known)

    def _measure_lateness(self, coverage: Coverage, new: Sequence[Run]) -> None:
        self.new_runs += len(new)
        for run in new:
            if cover.is_covered(coverage, run.created_at):
                self.lateness = max(self.lateness, coverage.walked_at - run.created_at)
