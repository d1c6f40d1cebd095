"""The running watcher answers what the reference answers, over a world that lives, comes late and is hard to read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from histories.history import (
    PHASES,
    SOAK,
    Ail,
    History,
    Let,
    Life,
    Poll,
    Setting,
    StumblingFaults,
    Watcher,
    ail,
    enact,
    histories,
    take_step,
)
from readings_stage import Pair, compare, needs_for, open_questions, thing_questions, window_questions
from story import Daemon, Story, tell
from triggerdev_alerts.signals import Question
from triggerdev_exporter.clock import HOUR, SECOND

WINDOWS, OPEN, THINGS = window_questions(), open_questions(), thing_questions()
ALL = [*WINDOWS, *OPEN, *THINGS]
NEEDS = needs_for(ALL)


async def test_a_shop(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=1500) as story:
        async with story.daemon() as daemon:
            daemon.target.keep(NEEDS)
            await story.let(daemon, 290)
            story.clock.advance(10)
            await daemon.poll()
            assert compare_now(story, daemon) == []
        story.clock.advance(500)
        async with story.daemon() as daemon:
            daemon.target.keep(NEEDS)
            await daemon.poll()
            await story.let(daemon, 70)
            await daemon.poll()
            assert compare_now(story, daemon) == []


def compare_now(story: Story, daemon: Daemon, present: Sequence[Question] = (*OPEN, *THINGS)) -> list[Pair]:
    now = daemon.target.server_now()
    story.world.advance(story.clock.now())
    pasts = [now, now - 37 * SECOND, now - HOUR]
    return [
        *compare(daemon.target, story.world, WINDOWS, pasts),
        *compare(daemon.target, story.world, present, [now]),
    ]


LISTED_JUST_NOW = History(
    Setting(date_off=-70.0),
    # The last look is at 4,300 s: it was listed five seconds before, or by the server's `Date` a minute after.
    (Life("charge-card", born=595.0, waits=None, lasts=61.0, status="PENDING_VERSION", late=3_700.0),),
    (Let(600.0), Poll(everything=True)),
)
"""When a run is listed is a matter of the server's database, and not of its `Date`."""


class Asked(Watcher):
    """A daemon that rules ask from its first moment on."""

    async def start(self) -> None:
        await super().start()
        self.daemon.target.keep(NEEDS)


@asynccontextmanager
async def tell_asked(folder: Path, history: History) -> AsyncIterator[tuple[Story, Daemon]]:
    """Play a history and heal."""
    faults = StumblingFaults()
    setting = history.setting
    faults.clock_skew_s = setting.date_off
    async with tell(folder, profile=setting.profile, faults=faults, quota=None) as story, AsyncExitStack() as stack:
        enact(story, history.lives)
        watcher = Asked(story, 0, setting)
        await watcher.start()
        stack.push_async_callback(watcher.stop)
        await watcher.poll()
        if not setting.enriched:
            faults.on("query", deny=403)
        for step in history.steps:
            await take_step(story, faults, [watcher], step)
        faults.plans.clear()
        ail(faults, Ail())
        await watcher.poll()
        story.clock.advance(HOUR / SECOND + 100)
        for _ in range(2):
            await watcher.poll()
        story.world.advance(story.clock.now())
        yield story, watcher.daemon


@pytest.mark.timeout(0 if SOAK else 300)
@settings(
    max_examples=2_000 if SOAK else 25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
    print_blob=True,
)
@example(LISTED_JUST_NOW)
@given(histories)
async def test_any_history(tmp_path_factory: pytest.TempPathFactory, history: History) -> None:
    async with tell_asked(tmp_path_factory.mktemp("story"), history) as (story, daemon):
        # Where its Date is not its database's time, what is open now is not what was open then.
        present = OPEN if history.setting.date_off == 0.0 else ()
        assert compare_now(story, daemon, present) == []
