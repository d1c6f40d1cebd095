"""Taking in runs, wherever they were read: one transaction for all they change, and what a step learnt by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.facts import Kind
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.news import Draft, News, hashes
from triggerdev_exporter.ledger.run_news import sight
from triggerdev_exporter.ledger.thing_news import follow_batches
from triggerdev_exporter.records import Run
from triggerdev_exporter.target import Target


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

    def begin(self) -> None:
        self.seen, self.new_runs, self.lateness = set(), 0, 0

    async def take_in(
        self, journal: Journal, runs: Sequence[Run], now: Instant, also: Callable[[Draft], None] | None = None
    ) -> None:
        """Commit a page of runs; `also` is decided in the same transaction, after them."""
        # Lists do not tell it; a run that was retrieved does.
        batches = sorted({run.batch_id for run in runs if run.batch_id})

        def decide(draft: Draft) -> None:
            self._check_environment(draft, runs)
            self._measure_lateness(draft, runs)
            sight(draft, runs, now=now, count_tests=self._target.config.test_runs)
            follow_batches(draft, batches)
            if also is not None:
                also(draft)

        lookup = hashes(Kind.RUN, [run.id for run in runs]) + hashes(Kind.BATCH, batches)
        news = await journal.write(decide, lookup=lookup)
        self.seen.update(run.id for run in runs)
        self._noticed(news)
        self._target.told("runs", news.notices)
        self._target.overflowed(news.overflow)

    def _check_environment(self, draft: Draft, runs: Sequence[Run]) -> None:
        """Refuse a key of another environment: its runs would be added to the counters of this one."""
        coverage = draft.coverage()
        told = self._target.check_environment(coverage, runs)
        if told is not None and coverage.environment_id is None:
            known = msgspec.structs.replace(coverage, environment_id=told.environment_id, environment=told.environment)
            draft.put(Kind.COVERAGE, "", known)

    def _measure_lateness(self, draft: Draft, runs: Sequence[Run]) -> None:
        coverage = draft.coverage()
        for run in runs:
            if draft.run(run.id) is not None or draft.marks(Kind.RUN, run.id) is not None:
                continue
            self.new_runs += 1
            if cover.is_covered(coverage, run.created_at):
                self.lateness = max(self.lateness, coverage.walked_at - run.created_at)
