"""A refused key costs one request, not one for each collector."""

from __future__ import annotations

import asyncio
from pathlib import Path

from story import KEY, tell
from triggerdev_exporter.collect.collector import tick


async def test_all_collectors_that_wake_together_ask_once(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.revoked.add(KEY)
        await asyncio.gather(*(tick(daemon.target, one) for one in daemon.collectors["prod"]))
        assert len(story.simulator.requests) == 1
        assert daemon.value("up") == 0
        assert daemon.total("collector_up") == 0
        assert daemon.total("collector_errors_total", reason="auth") == 6
        story.faults.revoked.clear()
        story.clock.advance(31)
        await asyncio.gather(*(tick(daemon.target, one) for one in daemon.collectors["prod"]))
        assert daemon.total("collector_up") == 6
