"""Rows that become visible late, early, together or while we read: each run is counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, Instant

RUNS = ("runs_", "run_")
FOLDED = ("runs_by_version",)


@pytest.mark.parametrize(
    ("late", "within"),
    [
        pytest.param(30 * SECOND, 90, id="within the overlap"),
        pytest.param(10 * MINUTE, 90 * 60, id="found by the sweep"),
        pytest.param(5 * HOUR, 90 * 60, id="found by the last sweep that reaches it"),
    ],
)
async def test_a_late_row_is_counted_once(tmp_path: Path, late: Instant, within: int) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        await story.let(daemon, 60, step=30)
        born = story.clock.now() + SECOND
        story.world.add_run(task="late", status="COMPLETED", created_at=born, visible_at=born + late)
        while story.clock.now() < born + late:
            story.world.add_run(task="prompt", status="COMPLETED", created_at=story.clock.now())
            await story.let(daemon, min(600, late / SECOND), step=60)
        await story.let(daemon, within, step=60)
        assert daemon.value("runs_triggered_total", task="late") == 1
        assert daemon.value("runs_finished_total", task="late", status="COMPLETED") == 1
        await story.let(daemon, 3700, step=60)
        await daemon.poll("runs")
        assert daemon.value("runs_triggered_total", task="late") == 1
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=(*FOLDED, "run_attempts")) == []


@pytest.mark.parametrize("warned", [False, True])
async def test_the_overlap_grows_with_what_comes_late(tmp_path: Path, warned: bool) -> None:
    """Once a row came 85 s late, one of 115 s is found without waiting for a sweep."""
    async with tell(tmp_path) as story, story.daemon() as daemon:

        async def a_while(ticks: int) -> None:
            for _ in range(ticks):
                story.world.add_run(task="prompt", status="COMPLETED", created_at=story.clock.now() + 29 * SECOND)
                story.clock.advance(30)
                await daemon.poll("runs")

        await daemon.poll()
        await a_while(4)
        born = story.clock.now() + 4 * SECOND
        for late in (85 * SECOND,) * warned + (115 * SECOND,):
            story.world.add_run(task="late", status="COMPLETED", created_at=born, visible_at=born + late)
        await a_while(5)
        assert daemon.total("runs_triggered_total", task="late") == 2 * warned
        await a_while(130)
        assert daemon.value("runs_triggered_total", task="late") == 1 + warned, "the sweep finds all"


@pytest.mark.parametrize("profile", ["v4.5", "seed", "v4.4"])
async def test_a_burst_of_one_millisecond_over_page_borders(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        await daemon.poll()
        story.clock.advance(20)
        for number in range(250):
            status = "FAILED" if number % 5 == 0 else "COMPLETED"
            story.world.add_run(task="burst", status=status, created_at=story.clock.now())
        story.clock.advance(10)
        await daemon.poll()
        await daemon.poll()
        assert daemon.value("runs_triggered_total", task="burst") == 250
        assert daemon.value("runs_finished_total", task="burst", status="FAILED") == 50
        assert daemon.value("runs_finished_total", task="burst", status="COMPLETED") == 200


async def test_a_walk_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        await story.let(daemon, 60, step=30)
        for number in range(350):
            story.world.add_run(task="t", status="COMPLETED", created_at=story.clock.now() + number * SECOND)
        story.clock.advance(360)
        # Each request takes a second; three are answered, then none any more.
        story.faults.on("runs", latency_s=1.0)
        story.world.at(story.clock.now() + 2_500, lambda: story.faults.on("runs", status=400))
        await daemon.poll("queues", "runs")
        assert daemon.value("runs_triggered_total", task="t") in (200, 300)
        assert daemon.value("collector_errors_total", collector="runs", reason="http") == 1
        story.faults.clear()
        await story.let(daemon, 60)
        assert daemon.value("catching_up") == 0
        assert daemon.value("runs_triggered_total", task="t") == 350
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=(*FOLDED, "run_attempts")) == []


async def test_a_scheduled_run_is_listed_before_it_was_created(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        slot = story.clock.now() + 60 * SECOND
        for number in range(3):
            early = slot - 27 * SECOND
            story.world.add_run(
                task="cron",
                kind="SCHEDULED",
                created_at=slot + number * MINUTE,
                visible_at=early + number * MINUTE,
                status="COMPLETED",
                started_at=early + number * MINUTE + SECOND,
                finished_at=early + number * MINUTE + 3 * SECOND,
            )
        story.world.add_run(task="plain", status="COMPLETED", created_at=slot - 5 * SECOND)
        await story.let(daemon, 240, step=10)
        assert daemon.value("runs_triggered_total", task="cron") == 3
        assert daemon.value("runs_finished_total", task="cron", status="COMPLETED") == 3
        assert daemon.value("run_wait_seconds_sum", task="cron") == 0, "it did not wait less than nothing"
        assert daemon.value("run_duration_seconds_sum", task="cron", outcome="success") == 6
        assert daemon.value("runs_triggered_total", task="plain") == 1
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=(*FOLDED, "run_attempts")) == []


async def test_a_lagging_view_is_measured_and_loses_nothing(tmp_path: Path) -> None:
    """Pages come short and empty, with a next one; rows are missing from both lists for a while."""
    async with tell(tmp_path, "shop", history_s=1800) as story, story.daemon() as daemon:
        await story.let(daemon, 120)
        story.faults.view_lag_s = 20
        await story.let(daemon, 600)
        lag = daemon.value("view_lag_seconds")
        assert lag is not None
        assert 0 < lag <= 60
        story.faults.clear()
        await story.let(daemon, 120)
        assert daemon.value("view_lag_seconds") == 0
        story.clock.advance(61)
        await daemon.poll()
        await daemon.poll()
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=FOLDED) == []


async def test_a_status_that_changes_between_two_pages(tmp_path: Path) -> None:
    """Each request plays the world on: what was on page two as open has ended when page two comes."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        now = story.clock.now()
        for number in range(240):
            begun = now + number * 10
            story.world.add_run(
                task="t", status="COMPLETED", created_at=begun, started_at=begun, finished_at=now + 30_000 + number
            )
        story.clock.advance(30)
        # A tick takes a tenth of a second a page: in the middle of it, the runs end.
        story.faults.on("runs", latency_s=0.05)
        for _ in range(4):
            await daemon.poll()
        story.faults.clear()
        await daemon.poll()
        assert daemon.value("runs_finished_total", task="t", status="COMPLETED") == 240
        assert daemon.total("runs_open") == 0
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=(*FOLDED, "run_attempts")) == []


async def test_runs_that_come_while_the_list_was_never_anything_but_empty(tmp_path: Path) -> None:
    """A view that is behind from the first day: nothing is lost once it shows what is there."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.view_empty = True
        await daemon.poll()
        for _ in range(10):
            story.world.add_run(task="t", status="COMPLETED", created_at=story.clock.now())
            await story.let(daemon, 120, step=30)
        story.faults.clear()
        await story.let(daemon, 60, step=30)
        assert daemon.value("runs_triggered_total", task="t") == 10
