"""The run list and the query fail while all else works: known numbers stay, unknown ones vanish, none is invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Daemon, Series, difference, tell
from triggerdev_exporter.clock import MINUTE

RUNS = ("runs_", "run_")
LIVE = ("queue_depth", "queue_running")
FOLDED = ("runs_by_version", "run_attempts")


def counted(daemon: Daemon) -> Series:
    """The counters of runs."""
    return {
        place: value
        for place, value in daemon.page().items()
        if place[0].startswith("triggerdev_run") and place[0].endswith(("_total", "_count", "_bucket", "_sum"))
    }


async def test_ten_minutes_without_the_view(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=1800) as story, story.daemon() as daemon:
        await story.let(daemon, 120)
        told = counted(daemon)
        gauge = daemon.total("runs_open")
        assert gauge > 0
        story.faults.view_status = 500
        await story.let(daemon, 60)
        assert daemon.value("collector_up", collector="runs") == 0
        assert daemon.value("collector_up", collector="queues") == 1
        assert daemon.total("runs_open") == gauge, "kept for three intervals"
        await story.let(daemon, 540)
        await daemon.poll("queues")
        page = daemon.page()
        gauges = ("triggerdev_runs_open", "triggerdev_runs_oldest_open_timestamp_seconds", "triggerdev_task_info")
        assert not [name for name, _ in page if name in gauges], "unknown is not zero"
        assert counted(daemon) == told, "nothing is counted, nothing is lost"
        assert daemon.value("up") == 1
        assert difference(page, story.truth(daemon), *LIVE) == [], "the live plane goes on"
        story.faults.clear()
        await story.let(daemon, 120)
        assert daemon.value("collector_up", collector="runs") == 1
        await daemon.poll()
        await daemon.poll()
        assert difference(daemon.page(), story.truth(daemon), *RUNS, *LIVE, without=FOLDED) == []


@pytest.mark.parametrize("crowd", [1, 40])
async def test_a_list_that_is_silently_empty_is_not_believed(tmp_path: Path, crowd: int) -> None:
    """200 and no runs, as a broken replication answers: with few open runs, and with many."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        for number in range(crowd):
            story.world.add_run(task="report", status="EXECUTING", id=f"run_{number}")
        story.world.add_run(task="mail", status="COMPLETED")
        await daemon.poll()
        story.clock.advance(120)
        await daemon.poll()
        told = counted(daemon)
        story.faults.view_empty = True
        for look in range(3):
            story.clock.advance(30)
            reports = await daemon.poll("queues", "runs")
            assert reports["runs"].reason == "truncated", look
            assert daemon.value("runs_open", task="report", status="EXECUTING") == crowd, look
            assert daemon.value("collector_up", collector="runs") == 0
        await story.let(daemon, 600)
        assert daemon.value("runs_open", task="report", status="EXECUTING") is None, "unknown is not zero"
        assert counted(daemon) == told
        for number in range(crowd):
            story.world.change_run(f"run_{number}", "COMPLETED" if number else "FAILED")
        story.world.add_run(task="mail", status="COMPLETED")
        await story.let(daemon, 60)
        story.faults.clear()
        await story.let(daemon, 120)
        assert daemon.value("collector_up", collector="runs") == 1
        assert daemon.value("runs_finished_total", task="report", status="FAILED") == 1
        assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == crowd - 1
        assert daemon.value("collector_errors_total", collector="runs", reason="vanished") is None
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=FOLDED) == []


async def test_a_list_that_is_truly_empty_is_believed(tmp_path: Path) -> None:
    """Retention took the last run: nobody can say that it is there, so the list may be empty."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="mail", status="COMPLETED")
        await daemon.poll()
        story.clock.advance(600)
        story.world.delete_run(run)
        reports = await daemon.poll("runs")
        assert reports["runs"].outcome == "ok"
        asked = story.simulator.simulator.counts["run"]
        await story.let(daemon, 600)
        assert story.simulator.simulator.counts["run"] == asked, "that was asked once"
        assert daemon.value("collector_up", collector="runs") == 1
        story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now())
        await story.let(daemon, 60)
        assert daemon.value("runs_triggered_total", task="mail") == 2


async def test_no_schedule_is_blamed_for_a_blank_list(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("minutely",))
        story.world.add_schedule(task="minutely", cron="* * * * *")
        await story.let(daemon, 600)
        story.faults.view_empty = True
        await story.let(daemon, 1800)
        assert daemon.total("schedule_missed_total") == 0
        story.faults.clear()
        await story.let(daemon, 900)
        await daemon.poll("runs")
        assert daemon.total("schedule_missed_total") == 0
        assert difference(daemon.page(), story.truth(daemon), "runs_triggered", "schedule_missed") == []


async def test_queues_that_empty_all_at_once_are_asked_twice(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_queue("emails", extra_queued=7)
        await daemon.poll()
        story.world.delete_queue("emails")
        story.clock.advance(30)
        first = await daemon.poll("queues")
        assert first["queues"].reason == "truncated"
        assert daemon.value("queue_depth", queue="emails") == 7
        story.clock.advance(30)
        second = await daemon.poll("queues")
        assert second["queues"].outcome == "ok"
        assert daemon.value("queue_depth", queue="emails") is None


async def test_two_planes_that_disagree_are_told_as_lag(tmp_path: Path) -> None:
    """Work on the queues, and a list that does not show it: the lag grows from when both last agreed."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_run(task="t", status="COMPLETED")
        await story.let(daemon, 660, step=30)
        assert not daemon.value("view_lag_seconds"), "nothing speaks for a lag"
        story.faults.view_lag_s = 600
        story.world.add_queue("emails", extra_running=3)
        await story.let(daemon, 300, step=30)
        lag = daemon.value("view_lag_seconds")
        assert lag is not None
        assert 240 <= lag <= 300
        assert daemon.value("collector_up", collector="runs") == 1
        story.faults.clear()
        story.world.add_queue("emails", extra_running=0)
        await story.let(daemon, 60, step=30)
        assert daemon.value("view_lag_seconds") == 0


async def test_a_view_that_hangs_costs_its_deadline_and_nothing_else(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_run(task="report", status="EXECUTING")
        await daemon.poll()
        story.faults.view_delay_s = 25
        await story.let(daemon, 5 * MINUTE / 1000)
        assert daemon.value("collector_up", collector="runs") == 1
        assert daemon.value("collector_up", collector="queues") == 1
        assert daemon.value("runs_open", task="report", status="EXECUTING") == 1
