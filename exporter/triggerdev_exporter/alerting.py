"""Alerting in the daemon: opens the book, the rules' receivers, the engine and the courier, and runs them.

What is due is decided by them, from persisted instants; each sleeps until then or until it is poked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Protocol

from triggerdev_alerts.alert import Alert
from triggerdev_alerts.book import Book
from triggerdev_alerts.engine import Engine
from triggerdev_alerts.errors import BookError
from triggerdev_alerts.evaluation.judge import Judgement
from triggerdev_alerts.outbox.courier import Courier
from triggerdev_alerts.outbox.pinger import open_pinger
from triggerdev_alerts.outbox.scribe import Scribe
from triggerdev_alerts.outbox.standing import enable_all
from triggerdev_alerts.outbox.store import open_book_store
from triggerdev_alerts.pushing.build import Pushers, open_pushers
from triggerdev_alerts.receivers.build import open_receivers
from triggerdev_alerts.receivers.port import Receiver
from triggerdev_alerts.rules.model import Rule, RuleSet
from triggerdev_alerts.signals import Evidence, Signals, Witness
from triggerdev_alerts.watch import Watch
from triggerdev_exporter.clock import Clock, Instant

log = logging.getLogger(__name__)


def book_path(state: Path) -> Path:
    """Beside the state file: ``state.db`` → ``state-alerts.db``. One lock stands for both."""
    return state.with_name(f"{state.stem}-alerts{state.suffix}")


class Source(Signals, Protocol):
    """Whoever answers the rules. It is told first what will be asked, since windows are counted from then on."""

    def use(self, ruleset: RuleSet) -> None: ...

    def stale(self, now: Instant) -> Collection[str]:
        """Targets that cannot be read, or whose data is old."""
        ...


class Alerting:
    """What runs, as the pages and the API see it. Make it with `open_alerting`."""

    def __init__(
        self, scribe: Scribe, engine: Engine, courier: Courier, watch: Watch, source: Source, clock: Clock
    ) -> None:
        self.scribe = scribe
        self.engine = engine
        self.courier = courier
        self.watch = watch
        self._source = source
        self._clock = clock
        self._receivers = AsyncExitStack()
        self._helpers = AsyncExitStack()
        """Pushers and the pinger, of the rules in use."""
        self._pushers: Pushers | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def book(self) -> Book:
        return self.scribe.book

    @property
    def ruleset(self) -> RuleSet:
        return self.engine.ruleset

    @property
    def receivers(self) -> Mapping[str, Receiver]:
        return self.engine.receivers

    def evidence_of(self, rule: Rule, alert: Alert, now: Instant) -> Evidence:
        """What is known by now of why `alert` fires."""
        return self.engine.evidence_of(rule, alert, now)

    def judged(self, rule: Rule, now: Instant) -> dict[str, Judgement]:
        """What the condition of `rule` says now, by target."""
        return self.engine.judged(rule, now)

    def poke(self) -> None:
        """Something was written into the book from outside: look at once whether somebody must be told."""
        self.watch.poke()
        self.spoke()

    def spoke(self) -> None:
        """The engine decided something: whoever carries it looks at once."""
        self.courier.poke()
        if self._pushers is not None:
            self._pushers.poke()

    async def use(self, ruleset: RuleSet) -> None:
        """Go on with these rules. Alerts, groups and timers that are the same in both stay as they are.

        Raises `BookError`, and then the old rules stay.
        """
        opened = AsyncExitStack()
        try:
            receivers = await opened.enter_async_context(open_receivers(ruleset))
            await self.engine.reload(ruleset, receivers, self._clock.now())
        except BaseException:
            await opened.aclose()
            raise
        # From here on the new rules hold. Nothing was evaluated yet: the engine gave nobody else a turn.
        self._source.use(ruleset)
        self.courier.use(receivers)
        try:
            await self.scribe.write(enable_all)
        except BookError as error:
            log.error("receivers that were switched off stay off until the next reload", extra={"why": str(error)})
        self._receivers, old = opened, self._receivers
        closing = asyncio.create_task(self._close(old))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await self._use_helpers(ruleset)
        self.poke()

    async def _use_helpers(self, ruleset: RuleSet) -> None:
        # They keep nothing that is lost when they end: the next ones assert, and ping, what holds then.
        self._pushers = None
        await self._helpers.aclose()
        self._pushers = await self._helpers.enter_async_context(
            open_pushers(ruleset, self.scribe, self._clock, evidence_of=self.engine.evidence_of)
        )
        await self._helpers.enter_async_context(
            open_pinger(ruleset, self.book, self._clock, stale=self._source.stale, ticked=lambda: self.watch.ticked)
        )

    async def _close(self, old: AsyncExitStack) -> None:
        # What is under way ends with the receiver that it was begun with.
        await self.courier.settled()
        await old.aclose()

    async def close(self) -> None:
        """Close what is open; nothing is sent any more."""
        await self._helpers.aclose()
        for closing in list(self._closing):
            await closing
        await self._receivers.aclose()


@asynccontextmanager
async def open_alerting(
    path: Path, ruleset: RuleSet, source: Source, witness: Witness | None, clock: Clock
) -> AsyncIterator[Alerting]:
    """Alerting over the book at `path`, running. On leaving, evaluation stops first, then requests under way end.

    Raises `BookError` with the remedy.
    """
    async with AsyncExitStack() as stack:
        storage = open_book_store(path)
        stack.push_async_callback(storage.close)
        scribe = Scribe(await storage.load(), storage)
        courier = Courier(scribe, {}, clock, Random().random)  # noqa: S311 - jitter, not cryptography
        engine = Engine(ruleset, source, witness, scribe, {}, started_at=clock.now(), pause=lambda: clock.sleep(0))
        watch = Watch(engine, clock)
        alerting = Alerting(scribe, engine, courier, watch, source, clock)
        watch.spoke = alerting.spoke
        stack.push_async_callback(alerting.close)
        await alerting.use(ruleset)
        for name, run in (("courier", courier.run), ("watch", watch.run)):
            stop = asyncio.Event()
            stack.push_async_callback(_end, asyncio.create_task(run(stop), name=name), stop)
        yield alerting


async def _end(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    await asyncio.gather(task, return_exceptions=True)
