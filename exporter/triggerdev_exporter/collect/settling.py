"""Settling: how runs ended that no list shows as open any more. A list where many left at once, else one by one."""

from __future__ import annotations

from triggerdev_exporter.api.calls import Dialect, Priority
from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.collect.intake import Intake
from triggerdev_exporter.collect.walk import pages
from triggerdev_exporter.errors import NotFound
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.journal import Journal
from triggerdev_exporter.ledger.run_news import not_found
from triggerdev_exporter.ledger.settled import HORIZON
from triggerdev_exporter.target import Target

LONGEST_WAIT = 10 * MINUTE
PLENTY = 10
"""Fewer runs than this may well end between two looks without a trace in the walk."""
PAGE = 100


class Settler:
    """Asks after runs that left, and remembers which were asked for in vain."""

    def __init__(self, target: Target, intake: Intake) -> None:
        self._target = target
        self._intake = intake
        self._ask_again: dict[str, tuple[Instant, int]] = {}
        """Run id → when to ask again, and how often it was asked for."""

    async def settle(self, dialect: Dialect, journal: Journal, departed: list[str], now: Instant) -> None:
        """Find out how the `departed` ended, as far as our share goes. Raises `ApiError` where one cannot be read."""
        if len(departed) >= PLENTY:
            await self._settle_by_list(dialect, journal, departed, now)
        # Those that were asked for in vain come last: one that cannot be read keeps nobody waiting.
        for run_id in sorted(departed, key=lambda run_id: self._ask_again.get(run_id, (0, 0))[1]):
            if run_id in self._intake.seen:
                continue
            if not self._target.client.allowance(Priority.SETTLE):
                return
            # Whatever goes wrong with this one, it is not the first to be asked for again.
            self._wait_for(run_id, now)
            await self._settle_one(dialect, journal, run_id, now)

    def departed(self, journal: Journal, now: Instant) -> list[str]:
        """Open runs that no list showed in this step, newest first, without those that are to be left alone for now."""
        runs = journal.ledger.runs
        self._ask_again = {run_id: when for run_id, when in self._ask_again.items() if run_id in runs}
        left = [
            run_id
            for run_id in runs
            if run_id not in self._intake.seen and self._ask_again.get(run_id, (0, 0))[0] <= now
        ]
        return sorted(left, key=lambda run_id: runs[run_id].created_at, reverse=True)

    async def _settle_by_list(self, dialect: Dialect, journal: Journal, departed: list[str], now: Instant) -> None:
        """Where many left at once, a few pages of their creation span tell more than a request for each."""
        runs = journal.ledger.runs
        best, gain = 0, 0
        for count in sorted({len(departed), len(departed) // 2, len(departed) // 4}):
            since = runs[departed[count - 1]].created_at
            # How many runs the list holds from there on: those that ended since then, and those that are open.
            known = await journal.settled_since(since + HORIZON) + sum(run.created_at >= since for run in runs.values())
            if (saved := count - (known // PAGE + 1)) > gain:
                best, gain = count, saved
        if not best:
            return
        floor = max(runs[departed[best - 1]].created_at, cover.EARLIEST)
        read = 0
        async with self._intake.together(journal, now):
            async for page in pages(
                self._target.client,
                lambda cursor: dialect.runs(created_from=floor, cursor=cursor),
                lambda run: run.id,
                Priority.SETTLE,
            ):
                await self._intake.add(journal, page, now)
                read += 1
                if read >= best - gain + 1:
                    # The estimate was wrong; the rest is asked for one by one.
                    return

    async def _settle_one(self, dialect: Dialect, journal: Journal, run_id: str, now: Instant) -> None:
        try:
            run = await self._target.client.fetch(dialect.run(run_id), Priority.SETTLE)
        except NotFound as error:
            if not error.is_json:
                raise
            self._ask_again.pop(run_id, None)
            news = await journal.write(lambda draft: not_found(draft, run_id, now=now))
            self._target.told("runs", news.notices)
            return
        # Open after all: the list is behind. It keeps its pause, and is asked after less and less often.
        await self._intake.take_in(journal, (run,), now)

    def _wait_for(self, run_id: str, now: Instant) -> None:
        """Leave this run alone for a while, longer each time."""
        tries = self._ask_again.get(run_id, (0, 0))[1]
        pause = min(self._target.states["runs"].interval_ms << min(tries, 10), LONGEST_WAIT)
        self._ask_again[run_id] = (now + pause, tries + 1)
