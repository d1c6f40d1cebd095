"""The stage of alerting over a whole watcher: a simulated server, our collectors, the ledger, and its answers to rules.

The collectors look once an evaluation, at the same instant.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from acceptance_stage import Stage, play, t
from story import Daemon, Story, tell
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_exporter.readings.signals import LedgerSignals
from virtual_clock import VirtualClock


class Followed:
    """The watcher's clock: its requests may move it too. Nobody who is under way sleeps on it."""

    speed = 1.0
    sleeping = 0

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.fell_asleep = asyncio.Event()

    def now(self) -> Instant:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    def next_wake(self) -> Instant | None:
        return None

    def move(self, to: Instant) -> None:
        self._clock.advance(max(0, to - self.now()) / SECOND)


@dataclass(frozen=True)
class Watched:
    """What plays together."""

    stage: Stage
    story: Story
    daemon: Daemon


@asynccontextmanager
async def watch(folder: Path, text: str, *, start: str = "11:50:00") -> AsyncIterator[Watched]:
    """A server without a past, a watcher that has looked once, and alerting over it."""
    async with tell(folder, start=t(start)) as story, story.daemon() as daemon:
        watched = play(
            folder,
            text=text,
            signals=lambda ruleset: LedgerSignals(daemon.targets, ruleset),
            clock=Followed(story.clock),
        )
        async with watched as stage:
            await daemon.poll()

            async def look(now: Instant) -> None:
                if now % MINUTE == 0:
                    await daemon.poll()

            stage.before_step = look
            yield Watched(stage, story, daemon)
