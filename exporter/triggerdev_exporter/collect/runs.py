"""Runs: the newest, the open ones, how those that left ended, and what was missed while we were away.

One step, in this order: read the open set; walk from the newest run down to what is covered; settle the runs that are
no longer open; enrich; go on with the past. Pages are committed as they come, a few at a time, so an error ends the
step and costs nothing that was read. What a page changes is decided in `ledger/`; here is only who is asked, in which
order, and when to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import msgspec

from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.clock import HOUR, MINUTE, Instant
from triggerdev_exporter.collect.enrichment import Enricher
from triggerdev_exporter.collect.intake import Intake
from triggerdev_exporter.collect.settling import PLENTY, Settler
from triggerdev_exporter.collect.suspicion import Suspicion
from triggerdev_exporter.collect.view import View, weigh
from triggerdev_exporter.collect.walk import CursorGuard, pages
from triggerdev_exporter.errors import (
    ApiError,
    CursorBroken,
    HttpFailed,
    NotFound,
    Oversized,
    RateLimited,
    Truncated,
    Unreadable,
)
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Coverage, Gap, Kind
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.settled import HORIZON
from triggerdev_exporter.records import Page, Run
from triggerdev_exporter.target import Target

MAX_HEAD_PAGES = 50
"""A head walk that is longer leaves the rest as a gap, so that the newest runs never wait for old ones."""
MAX_PAST_PAGES = 500
REFRESH_ANYWAY = HOUR


class RunsCollector:
    """Follows the runs of one target. Its memory of a step is dropped at the step's end; the rest is in the ledger."""

    name: ClassVar[str] = "runs"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._enricher = Enricher(target)
        self._intake = Intake(target, self._enricher.noticed)
        self._settler = Settler(target, self._intake)
        self._suspicion = Suspicion("open runs")
        self._view = View()
        self._forgot_at: Instant = 0
        self._listed_all_at: Instant = 0

    async def step(self, now: Instant) -> bool:
        dialect, journal = await self._target.open()
        if journal.ledger.coverage is None:
            begun = cover.begin(journal.ledger.birth, self._target.config.lookback)
            await journal.write(lambda draft: draft.put(Kind.COVERAGE, "", begun))
        journal.ledger.enriched = self._enricher.expects(dialect)
        self._intake.begin()
        listed_open = await self._refresh_open(dialect, journal, now)
        await self._walk_head(dialect, journal, now)
        unsettled: ApiError | None = None
        if listed_open is not None:
            try:
                await self._settle(dialect, journal, listed_open, now)
            except (HttpFailed, Oversized, Unreadable) as error:
                # One run that cannot be read must not keep us from the past for ever; the tick has failed all the same.
                unsettled = error
        self._weigh_view(now, listed_open)
        looked_back = _coverage(journal).looked_back
        if looked_back:
            # As its priority is: a long past would leave nothing of our share for it.
            await self._enricher.step(now)
        await self._read_the_past(dialect, journal, now)
        if not looked_back:
            # A first look-back finds the runs that it tells of.
            await self._enricher.step(now)
        await self._forget(journal, now)
        if unsettled is not None:
            raise unsettled
        return True

    # -- the open set ----------------------------------------------------------------------------------------------

    async def _refresh_open(self, dialect: Dialect, journal: Journal, now: Instant) -> int | None:
        """List what is open. How many there were; ``None`` when there was no need to ask."""
        ledger = journal.ledger
        coverage = _coverage(journal)
        idle = not ledger.runs and self._live_work(now) == 0
        if idle and now - coverage.refreshed_at < REFRESH_ANYWAY:
            return None
        # All of time once an hour; between, down to the oldest that we know, which is less for the server to search.
        whole = now - self._listed_all_at >= REFRESH_ANYWAY
        oldest = min((run.created_at for run in ledger.runs.values()), default=now)
        since = cover.EARLIEST if whole else min(oldest, coverage.walked_at) - coverage.overlap
        seen = await self._list_open(dialect, journal, since, now)
        if whole:
            self._listed_all_at = now
        await self._set_coverage(journal, refreshed_at=now)
        return seen

    async def _list_open(self, dialect: Dialect, journal: Journal, since: Instant, now: Instant) -> int:
        count = 0
        async with self._intake.together(journal, now):
            async for page in pages(
                self._target.client,
                lambda cursor: dialect.runs(created_from=max(since, cover.EARLIEST), only_open=True, cursor=cursor),
                lambda run: run.id,
                Priority.HEAD,
            ):
                count += len(page)
                await self._intake.add(journal, page, now)
        return count

    # -- the newest runs -------------------------------------------------------------------------------------------

    async def _walk_head(self, dialect: Dialect, journal: Journal, now: Instant) -> None:
        walk = cover.head_walk(_coverage(journal), now)
        await self._walk(dialect, journal, walk, now, priority=Priority.HEAD, most=MAX_HEAD_PAGES)
        wanted = cover.adapted_overlap(_coverage(journal), self._intake.lateness)
        await self._set_coverage(journal, overlap=wanted)

    async def _walk(
        self,
        dialect: Dialect,
        journal: Journal,
        walk: cover.Walk | None,
        now: Instant,
        *,
        priority: Priority,
        most: int,
    ) -> int:
        """Read up to `most` pages of `walk`; how many were read."""
        guard = CursorGuard()
        read = 0
        # Ahead of what is on disk by the pages that wait to be committed.
        coverage = _coverage(journal)
        async with self._intake.together(journal, now):
            while walk is not None and read < most:
                if not self._target.client.allowance(priority):
                    await self._intake.flush(journal, now)
                page = await self._target.client.fetch(
                    dialect.runs(created_from=max(walk.floor, cover.EARLIEST), cursor=walk.cursor), priority
                )
                read += 1
                if walk.gap is None and not page.items and page.next is None:
                    await self._believe_empty(dialect, journal)
                    coverage = _coverage(journal)
                if walk.gap is not None and walk.cursor is not None and _restarted(walk.gap, page):
                    await self._drop_cursor(journal, walk.gap, now)
                    raise CursorBroken(
                        "runs: the server no longer knows our cursor; that part is read again from the top"
                    )
                move = _mover(walk, page, now)
                coverage, walk = move(coverage)
                await self._intake.add(journal, page.items, now, partial(_move, move))
                try:
                    guard.passed("runs", frozenset(run.id for run in page.items), page.next)
                except CursorBroken:
                    # Nor is the cursor worth anything to the next step.
                    if walk is not None and walk.gap is not None:
                        await self._drop_cursor(journal, walk.gap, now)
                    raise
        return read

    async def _believe_empty(self, dialect: Dialect, journal: Journal) -> None:
        """The newest run that we know should be in the list: ask the live plane whether it still exists.

        Raises `Truncated` if it does: what we read is the view's blindness, not the world. Nothing is covered by it,
        so no schedule is blamed for it either.
        """
        newest = _coverage(journal).newest_id
        if newest is None:
            return
        try:
            await self._target.client.fetch(dialect.run(newest), Priority.HEAD)
        except NotFound as error:
            if not error.is_json:
                raise
            await self._set_coverage(journal, newest_id=None)
            return
        raise Truncated(f"runs: the list is empty, but {newest} exists; the view behind the list is blank")

    # -- how runs ended that are no longer open ----------------------------------------------------------------------

    async def _settle(self, dialect: Dialect, journal: Journal, listed_open: int, now: Instant) -> None:
        departed = self._settler.departed(journal, now)
        if listed_open == 0 and len(departed) >= PLENTY:
            # So many at once, and the walk did not see one of them end: rather the list is empty than the world.
            again = await self._list_open(dialect, journal, cover.EARLIEST, now)
            self._suspicion.weigh(was=len(departed), now=again)
            departed = self._settler.departed(journal, now)
        else:
            self._suspicion.weigh(was=0, now=listed_open)
        await self._settler.settle(dialect, journal, departed, now)

    # -- the past ----------------------------------------------------------------------------------------------------

    async def _read_the_past(self, dialect: Dialect, journal: Journal, now: Instant) -> None:
        first = not _coverage(journal).looked_back
        priority = Priority.HEAD if first else Priority.CATCH_UP
        left = MAX_PAST_PAGES
        try:
            for gap in _coverage(journal).gaps:
                left -= await self._walk(dialect, journal, cover.gap_walk(gap), now, priority=priority, most=left)
            sweep = cover.sweep_walk(_coverage(journal), now)
            if sweep is not None and left > 0:
                await self._walk(dialect, journal, sweep, now, priority=Priority.CATCH_UP, most=left)
        except RateLimited:
            # Our share is for the present; the gap is on disk and goes on at the next step.
            return

    async def _drop_cursor(self, journal: Journal, gap: Gap, now: Instant) -> None:
        # The gap is what it is with the pages that wait.
        await self._intake.flush(journal, now)

        def decide(draft: Draft) -> None:
            draft.put(Kind.COVERAGE, "", cover.without_cursor(draft.coverage(), gap, now))

        await journal.write(decide)

    async def _forget(self, journal: Journal, now: Instant) -> None:
        if now - self._forgot_at >= MINUTE:
            # Ids are kept longer than the horizon where a walk may still come by.
            await journal.forget(min(now, _read_from(_coverage(journal), now) + HORIZON))
            await journal.trim(now)
            self._forgot_at = now

    # -- what the step learnt ----------------------------------------------------------------------------------------

    async def _set_coverage(self, journal: Journal, **changes: object) -> None:
        def decide(draft: Draft) -> None:
            draft.put(Kind.COVERAGE, "", msgspec.structs.replace(draft.coverage(), **changes))

        await journal.write(decide)

    def _live_work(self, now: Instant) -> int | None:
        """What the queues hold; ``None`` when nobody looked lately."""
        sights = self._target.sights
        is_old = now - sights.queues_at > 2 * self._target.states["queues"].interval_ms
        return None if is_old else sights.live_work()

    def _weigh_view(self, now: Instant, listed_open: int | None) -> None:
        self._view = weigh(
            self._view,
            now=now,
            new_runs=self._intake.new_runs,
            lateness_ms=self._intake.lateness,
            live_work=self._live_work(now),
            listed_open=listed_open,
        )
        self._target.sights.view_lag_ms = self._view.lag_ms


def _coverage(journal: Journal) -> Coverage:
    found = journal.ledger.coverage
    return found if found is not None else Coverage(tail=journal.ledger.birth)


def _mover(walk: cover.Walk, page: Page[Run], now: Instant) -> Callable[[Coverage], tuple[Coverage, cover.Walk | None]]:
    """What a page of `walk` does to coverage, and how the walk goes on after it."""
    created = [run.created_at for run in page.items]
    oldest, newest = min(created, default=None), max(created, default=None)

    def move(coverage: Coverage) -> tuple[Coverage, cover.Walk | None]:
        moved, going_on = cover.after_page(coverage, walk, oldest=oldest, newest=newest, cursor=page.next, now=now)
        if newest is not None and newest == moved.newest:
            moved = msgspec.structs.replace(moved, newest_id=page.items[created.index(newest)].id)
        return moved, going_on

    return move


def _move(move: Callable[[Coverage], tuple[Coverage, cover.Walk | None]], draft: Draft) -> None:
    draft.put(Kind.COVERAGE, "", move(draft.coverage())[0])


def _read_from(coverage: Coverage, now: Instant) -> Instant:
    """The earliest created-at time that walks are about to read: from the newest run down, and the gaps."""
    newest = now if coverage.newest is None else min(coverage.newest, now)
    return min([newest - cover.MAX_OVERLAP, *(gap.start for gap in coverage.gaps)])


def _restarted(gap: Gap, page: Page[Run]) -> bool:
    # A cursor that the server does not understand starts again at the newest run, with 200.
    return bool(page.items) and min(run.created_at for run in page.items) > gap.end
