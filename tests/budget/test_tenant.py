"""A polite guest: a day on one bucket with the user's own program, which hardly leaves anything in it."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from random import Random

import pytest

from budget.tenant import SharedTime, alone, bursty
from histories.history import SOAK
from story import Story, difference
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.config.model import Quota
from triggerdev_exporter.simulator.command import start_simulator
from triggerdev_exporter.simulator.scenario import busy

SHARE = Quota(requests_per_minute=1500, share=0.10)
LEAVES = 40
"""Tokens of 750 that the tenant's bursts leave: one in twenty."""


def busiest(instants: list[Instant]) -> int:
    """The most requests in any 60 s."""
    return max(bisect_right(instants, at + MINUTE) - place for place, at in enumerate(instants))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, 9) if SOAK else [1])
async def test_a_day_beside_a_busy_tenant(tmp_path: Path, seed: int) -> None:
    seconds = DAY // SECOND
    script = bursty(Random(seed), seconds, leaves=LEAVES)
    assert sum(alone(script).refused) == 0
    assert alone(script).least == LEAVES, "the tenant empties the bucket but for a rest"
    time = SharedTime(script)
    # Twelve thousand runs in the look-back, so that there is a lot to catch up with at once.
    scenario = busy(per_second=0.01, preload=12_000, preload_ms=HOUR)
    async with start_simulator(scenario, seed=seed, clock=time) as simulator:
        story = Story(simulator, time, tmp_path)
        # The simulator's own bucket of this environment.
        time.bucket = simulator.simulator._limiters["api"]
        async with story.daemon(quota=SHARE) as daemon:
            ticks, longest = 0, 0
            while not time.is_over:
                time.advance(30)
                asked_at = time.now()
                report = (await daemon.poll("queues"))["queues"]
                assert report.outcome == "ok"
                longest = max(longest, time.now() - asked_at)
                ticks += 1
                await daemon.poll("runs", *(("schedules", "deployments", "waitpoints") if ticks % 10 == 1 else ()))
            log = [request.at for request in simulator.requests]
            assert busiest(log) <= 150
            assert sum(time.refused) == 0
            assert [request for request in simulator.requests if request.status == 429] == []
            # In the daemon, the live plane waits for nobody; here one tick follows the other.
            assert longest <= 10 * SECOND
            time.advance(HOUR / SECOND)
            await daemon.poll()
            await daemon.poll()
            without = ("runs_by_version", "run_attempts")
            assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=without) == []
