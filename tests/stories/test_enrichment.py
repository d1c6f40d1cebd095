"""What the query adds to runs that are known, and that its troubles are nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import difference, tell
from triggerdev_exporter.clock import MINUTE, SECOND

RUNS = ("runs_", "run_")


async def test_attempts_are_counted_once(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        for attempts in (1, 3, 5):
            story.world.add_run(task="t", status="FAILED", attempts=attempts, created_at=story.clock.now())
        # One that never started took none, whatever the query says of it.
        story.world.add_run(task="t", status="EXPIRED", started_at=-1, created_at=story.clock.now())
        story.world.add_run(task="t", status="EXECUTING", attempts=2, created_at=story.clock.now())
        await story.let(daemon, 600)
        assert daemon.value("run_attempts_total", task="t") == 9
        assert difference(daemon.page(), story.truth(daemon), *RUNS) == []


async def test_attempts_that_the_view_tells_late_are_not_lost(tmp_path: Path) -> None:
    """The list's own row says that it ended, the query does not yet; and nothing else ever happens."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        run = story.world.add_run(task="t", status="EXECUTING", attempts=4)
        await daemon.poll()
        story.clock.advance(90)
        await daemon.poll()
        story.faults.view_lag_s = 20
        story.clock.advance(5)
        story.world.change_run(run, "COMPLETED", at=story.clock.now())
        story.clock.advance(90)
        story.faults.view_lag_s = 100
        await daemon.poll()
        assert daemon.total("runs_finished_total") == 1
        assert daemon.value("run_attempts_total", task="t") is None
        await story.let(daemon, 300)
        assert daemon.value("run_attempts_total", task="t") == 4


async def test_a_key_that_may_not_query_loses_only_what_the_query_adds(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.on("query", deny=403)
        await daemon.poll()
        for number in range(20):
            story.world.add_run(task="t", status="COMPLETED", created_at=story.clock.now() + number * 100 * SECOND)
        await story.let(daemon, 3500, step=20)
        assert daemon.value("collector_errors_total", collector="runs", reason="forbidden") == 1
        assert daemon.value("collector_up", collector="runs") == 1
        assert daemon.value("collector_supported", collector="runs") == 1
        assert daemon.value("up") == 1
        assert daemon.value("run_attempts_total", task="t") is None
        assert difference(daemon.page(), story.truth(daemon), *RUNS, without=("run_attempts",)) == []
        story.world.add_run(task="t", status="COMPLETED", created_at=story.clock.now())
        await story.let(daemon, 200, step=20)
        assert daemon.value("collector_errors_total", collector="runs", reason="forbidden") == 2, "once an hour"
        story.faults.clear()
        story.world.add_run(task="t", status="COMPLETED", attempts=3, created_at=story.clock.now() + 3600 * SECOND)
        await story.let(daemon, 3900, step=20)
        assert daemon.value("run_attempts_total", task="t") == 3


@pytest.mark.parametrize("profile", ["v4.5", "v4.4"])
async def test_a_busy_query_is_asked_again_later(tmp_path: Path, profile: str) -> None:
    """429 where it is new, 400 where it is old: both mean later, and neither silences the rest."""
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        await daemon.poll()
        story.clock.advance(61)
        story.faults.query_busy = True
        story.world.add_run(task="t", status="COMPLETED", attempts=2, created_at=story.clock.now())
        await story.let(daemon, 200)
        assert daemon.value("runs_finished_total", task="t", status="COMPLETED") == 1
        assert daemon.value("collector_up", collector="runs") == 1
        assert daemon.value("collector_up", collector="queues") == 1
        assert 1 <= daemon.total("collector_errors_total", reason="rate_limited") <= 5
        story.faults.clear()
        await story.let(daemon, 120)
        assert daemon.value("run_attempts_total", task="t") == 2


async def test_the_oldest_of_a_custom_queue_is_known_by_enrichment(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        now = story.clock.now()
        story.world.add_queue("emails", paused=True)
        story.world.add_run(task="mail", status="QUEUED", queue="emails", created_at=now - 5 * MINUTE)
        story.world.add_run(task="mail", status="QUEUED", queue="emails", created_at=now - MINUTE)
        story.world.add_run(task="report", status="QUEUED", created_at=now - 2 * MINUTE)
        await daemon.poll()
        oldest = "queue_oldest_queued_timestamp_seconds"
        assert daemon.value(oldest, queue="emails") == (now - 5 * MINUTE) / 1000
        assert daemon.value(oldest, queue="task/report") == (now - 2 * MINUTE) / 1000
        assert daemon.value(oldest, queue="task/mail") is None
        assert daemon.value("queue_depth", queue="emails") == 2


async def test_without_the_query_only_own_queues_are_guessed(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        now = story.clock.now()
        story.faults.on("query", deny=403)
        story.world.add_run(task="mail", status="QUEUED", queue="emails", created_at=now - 5 * MINUTE)
        story.world.add_run(task="report", status="QUEUED", created_at=now - 2 * MINUTE)
        await daemon.poll()
        oldest = "queue_oldest_queued_timestamp_seconds"
        assert daemon.value(oldest, queue="task/report") == (now - 2 * MINUTE) / 1000
        assert daemon.value(oldest, queue="emails") is None
        assert daemon.value(oldest, queue="task/mail") is None, "the server has no such queue"


async def test_what_the_query_tells_of_the_environment(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_run(task="mail", status="COMPLETED")
        await daemon.poll()
        assert daemon.total("target_info", project=story.world.project, environment="prod") == 1
        assert daemon.total("target_info", environment_type="PRODUCTION", dialect="trigger") == 1
