"""Pages that follow each other quickly share a transaction. No number may tell which ones did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from story import Daemon, Story, difference, tell
from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.collect.intake import MOST_TOGETHER

RUNS = ("runs_triggered", "runs_started", "runs_finished", "run_wait", "run_duration")
PAGES = 25


async def fill(story: Story, daemon: Daemon) -> None:
    """A daemon that has begun to count, and then more than a few pages of runs that ended."""
    await daemon.poll()
    begun = story.clock.now()
    for number in range(100 * PAGES):
        story.world.add_run(task=f"task-{number % 7}", status="COMPLETED", created_at=begun + number * SECOND // 10)
    story.clock.advance(300)


def written(daemon: Daemon) -> int:
    """How often something was committed."""
    assert daemon.target.ledger is not None
    return daemon.target.ledger.changes


@pytest.mark.parametrize("profile", ["v4.5", "v4.4", "seed"])
async def test_quick_pages_share_transactions(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        await fill(story, daemon)
        # What it tells is written in parts of its own.
        story.faults.on("query", deny=403)
        before = written(daemon)
        await daemon.poll("runs")
        assert daemon.total("runs_finished_total") == 100 * PAGES
        assert difference(daemon.page(), story.truth(daemon), *RUNS) == []
        # Besides: where the walk stands, and what is said of the open ones.
        assert written(daemon) - before <= PAGES // MOST_TOGETHER + 6


async def test_slow_pages_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await fill(story, daemon)
        before = written(daemon)
        story.faults.on("runs", latency_s=0.8)
        await daemon.poll("runs")
        assert daemon.total("runs_finished_total") == 100 * PAGES
        assert written(daemon) - before >= PAGES


async def test_what_was_read_before_an_error_is_kept(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await fill(story, daemon)
        story.faults.on("runs", latency_s=0.02)
        story.world.at(story.clock.now() + 130, lambda: story.faults.on("runs", status=400))
        reports = await daemon.poll("runs")
        assert reports["runs"].reason == "http"
        counted = daemon.total("runs_finished_total")
        assert 0 < counted < 100 * MOST_TOGETHER, "a part of one transaction"
        assert counted % 100 == 0
        story.faults.clear()
        story.clock.advance(30)
        await daemon.poll("runs")
        assert daemon.total("runs_finished_total") == 100 * PAGES
        assert difference(daemon.page(), story.truth(daemon), *RUNS) == []


async def test_pages_that_waited_when_all_ended_are_read_again(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        async with story.daemon() as daemon:
            await fill(story, daemon)
            story.faults.on("runs", latency_s=0.02)
            polling = asyncio.create_task(daemon.poll("runs"))
            story.world.at(story.clock.now() + 450, polling.cancel)
            with pytest.raises(asyncio.CancelledError):
                await polling
            counted = daemon.total("runs_finished_total")
            assert 0 < counted < 100 * PAGES
            assert counted % (100 * MOST_TOGETHER) == 0, "whole transactions"
        story.faults.clear()
        async with story.daemon() as daemon:
            assert daemon.total("runs_finished_total") == counted
            await daemon.poll("runs")
            assert daemon.total("runs_finished_total") == 100 * PAGES
            assert difference(daemon.page(), story.truth(daemon), *RUNS) == []
