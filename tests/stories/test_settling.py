"""How a run's end is learnt when no list shows it: by retrieve, by lists of its span, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Story, difference, tell
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND

FOLDED = ("runs_by_version",)


def pass_time(story: Story, seconds: float) -> None:
    """Let the world live so long, too: what is scripted next happens then."""
    story.clock.advance(seconds)
    story.world.advance(story.clock.now())


async def test_an_end_outside_the_overlap_is_found_by_asking(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="report", status="EXECUTING")
        await daemon.poll()
        pass_time(story, 1800)
        story.world.add_run(task="report", status="EXECUTING")
        await daemon.poll()
        pass_time(story, 60)
        story.world.change_run(run, "FAILED")
        await daemon.poll("runs")
        assert daemon.value("runs_finished_total", task="report", status="FAILED") == 1
        assert daemon.value("run_duration_seconds_sum", task="report", outcome="failure") == 1860
        assert daemon.value("runs_open", task="report", status="EXECUTING") == 1
        assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=("run_attempts",)) == []


async def test_a_run_that_was_deleted_vanishes_after_three_looks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="report", status="EXECUTING")
        await daemon.poll()
        pass_time(story, 600)
        await daemon.poll()
        story.world.delete_run(run)
        for look in (1, 2, 3):
            assert daemon.value("runs_open", task="report", status="EXECUTING") == 1, look
            assert daemon.value("collector_errors_total", collector="runs", reason="vanished") is None
            pass_time(story, 30)
            reports = await daemon.poll("runs")
            assert reports["runs"].outcome == "ok"
        assert daemon.value("runs_open", task="report", status="EXECUTING") == 0
        assert daemon.value("collector_errors_total", collector="runs", reason="vanished") == 1
        assert daemon.total("runs_finished_total") == 0
        assert any(run in record.getMessage() for record in caplog.records)
        asked = story.simulator.simulator.counts["run"]
        await story.let(daemon, 300)
        assert story.simulator.simulator.counts["run"] == asked, "and nobody asks for it again"


async def test_a_run_of_weeks_ago_that_ends_now_is_counted_in_full(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        begun = story.clock.now() - 20 * DAY
        run = story.world.add_run(task="campaign", status="WAITING", created_at=begun, started_at=begun + 5 * SECOND)
        async with story.daemon() as daemon:
            await daemon.poll()
            assert daemon.value("runs_open", task="campaign", status="WAITING") == 1
            assert daemon.value("runs_oldest_open_timestamp_seconds", task="campaign", status="WAITING") == begun / 1000
            pass_time(story, 60)
            story.world.change_run(run, "COMPLETED")
            await daemon.poll()
            assert daemon.value("runs_finished_total", task="campaign", status="COMPLETED") == 1
            assert daemon.value("runs_triggered_total", task="campaign") == 0, "that was before birth"
            assert daemon.value("runs_started_total", task="campaign") == 0
            took = 20 * 86400 - 5 + 60
            assert daemon.value("run_duration_seconds_sum", task="campaign", outcome="success") == took
            assert daemon.value("run_wait_seconds_sum", task="campaign") == 5
            assert daemon.value("collector_errors_total", collector="runs", reason="too_late") is None


async def test_a_run_that_is_listed_open_but_has_ended_is_counted_once(tmp_path: Path) -> None:
    """Membership of the list is of twenty seconds ago, what is told of each run is of now."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="report", status="EXECUTING")
        await daemon.poll()
        pass_time(story, 600)
        await daemon.poll()
        story.faults.view_lag_s = 20
        story.world.change_run(run, "COMPLETED")
        for _ in range(4):
            pass_time(story, 10)
            await daemon.poll()
            assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == 1
        assert daemon.value("runs_open", task="report", status="EXECUTING") == 0


async def test_a_run_that_comes_back_is_told_and_not_counted_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        run = story.world.add_run(task="report", status="COMPLETED")
        pass_time(story, 30)
        await daemon.poll()
        story.world.change_run(run, "EXECUTING")
        pass_time(story, 30)
        await daemon.poll()
        await daemon.poll()
        story.world.change_run(run, "FAILED")
        pass_time(story, 30)
        await daemon.poll()
        assert daemon.value("collector_errors_total", collector="runs", reason="reopened") == 1
        assert daemon.total("runs_finished_total") == 1
        assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == 1
        assert daemon.value("runs_triggered_total", task="report") == 1
        assert daemon.total("run_duration_seconds_count") == 1
        assert len([record for record in caplog.records if "had ended" in record.getMessage()]) == 1


async def test_one_run_that_cannot_be_read_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A body that nobody can read is that run's trouble: others settle, the past is read, the tick says what failed."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        now = story.clock.now()
        for number in range(5):
            story.world.add_run(task="report", status="EXECUTING", id=f"run_{number}", created_at=now + number)
        pass_time(story, 1)
        await daemon.poll()
        pass_time(story, 600)
        story.world.add_run(task="other", status="COMPLETED")
        await daemon.poll()
        for number in range(5):
            story.world.change_run(f"run_{number}", "COMPLETED")
        # What the simulator cannot write is a 500 for this run, for ever.
        poisoned = story.world.runs["4"]
        poisoned.payload = object()
        pass_time(story, 30)
        reports = await daemon.poll("runs")
        assert reports["runs"].reason == "http"
        assert daemon.value("collector_up", collector="runs") == 0
        await story.let(daemon, 70)
        assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == 4
        assert daemon.value("collector_up", collector="runs") == 1, "it is asked after less and less often"
        poisoned.payload = None
        await story.let(daemon, 660)
        assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == 5
        assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=("run_attempts",)) == []


async def test_an_idle_week_gives_no_alarm(tmp_path: Path) -> None:
    """The newest run is read again at every look, also when it is older than ids are remembered."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        story.world.add_run(task="report", status="COMPLETED")
        token = story.world.add_token()
        await story.let(daemon, 600, step=300)
        story.world.change_token(token, "COMPLETED")
        await story.let(daemon, 16 * DAY / SECOND, step=6 * HOUR / SECOND)
        assert daemon.total("collector_errors_total") == 0
        assert daemon.value("runs_finished_total", task="report", status="COMPLETED") == 1
        assert daemon.value("runs_triggered_total", task="report") == 1
        assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") == 1


async def test_ends_are_counted_from_birth_on_whatever_began_before(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        now = story.clock.now()
        add = story.world.add_run
        add(task="t", status="COMPLETED", created_at=now - 10 * MINUTE, finished_at=now - 5 * MINUTE)
        add(task="t", status="COMPLETED", created_at=now - 10 * MINUTE, started_at=now - MINUTE, finished_at=now)
        add(task="t", status="FAILED", created_at=now - MINUTE, started_at=now, finished_at=now + 10 * SECOND)
        add(task="t", status="CANCELED", created_at=now, started_at=-1, finished_at=now + 10 * SECOND)
        async with story.daemon() as daemon:
            await daemon.poll()
            pass_time(story, 30)
            await daemon.poll()
            assert daemon.value("runs_triggered_total", task="t") == 1
            assert daemon.value("runs_started_total", task="t") == 1
            assert daemon.value("runs_finished_total", task="t", status="COMPLETED") == 1
            assert daemon.value("runs_finished_total", task="t", status="FAILED") == 1
            assert daemon.value("runs_finished_total", task="t", status="CANCELED") == 1
            assert daemon.value("run_duration_seconds_count", task="t", outcome="canceled") is None
            assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=("run_attempts",)) == []
