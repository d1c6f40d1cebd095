"""What watching costs: requests are counted at the server, whoever caused them."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from story import Story, difference, tell
from triggerdev_exporter.clock import DAY, MINUTE, SECOND
from triggerdev_exporter.config.model import Quota

FOLDED = ("runs_by_version",)


def asked(story: Story) -> int:
    return len(story.simulator.requests)


async def test_an_idle_project_costs_at_most_six_calls_a_minute(tmp_path: Path) -> None:
    async with tell(tmp_path, "idle", history_s=60) as story, story.daemon() as daemon:
        await daemon.poll_due()
        before = asked(story)
        await story.let(daemon, 600)
        assert asked(story) - before <= 60
        assert story.simulator.simulator.counts["query"] <= 2, "each query may leave a row in the user's database"
        assert daemon.total("queue_depth") == 0
        assert len([1 for name, _ in daemon.page() if name == "triggerdev_queue_depth"]) == 50


async def test_a_busy_tick_asks_for_pages_and_no_more(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        now = story.clock.now()
        for number in range(230):
            story.world.add_run(task="work", status="EXECUTING", created_at=now - 2 * MINUTE, id=f"run_open{number}")
        await daemon.poll()
        story.clock.advance(60)
        story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now() - SECOND)
        await daemon.poll()
        story.clock.advance(200)
        await daemon.poll()
        story.clock.advance(70)
        now = story.clock.now()
        for number in range(420):
            story.world.add_run(task="mail", status="COMPLETED", created_at=now - 30 * SECOND + number * 50)
        for number in range(4):
            story.world.change_run(f"run_open{number}", "COMPLETED")
        before = asked(story)
        await daemon.poll("runs")
        calls = [request.endpoint for request in list(story.simulator.requests)[before:]]
        # New 420, one in the overlap: 5 pages. Open 226: 3 pages. 4 to settle. And the query.
        assert sorted(calls) == sorted(["runs"] * 8 + ["run"] * 4 + ["query"])
        assert len(calls) <= 1.25 * 5 + 3 + 4 + 3
        assert daemon.value("runs_finished_total", task="work", status="COMPLETED") == 4
        assert daemon.value("runs_finished_total", task="mail", status="COMPLETED") == 421


async def test_many_that_ended_at_once_are_found_by_lists(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        now = story.clock.now()
        for number in range(300):
            story.world.add_run(task="work", status="EXECUTING", created_at=now + number, id=f"run_{number}")
        story.world.add_run(task="work", status="EXECUTING", created_at=now)
        story.clock.advance(30)
        await daemon.poll()
        story.clock.advance(3600)
        await daemon.poll()
        for number in range(300):
            story.world.change_run(f"run_{number}", "COMPLETED" if number % 3 else "FAILED", at=now + 30_000 + number)
        story.clock.advance(30)
        before = asked(story)
        await daemon.poll("runs")
        assert asked(story) - before < 15
        assert daemon.value("runs_finished_total", task="work", status="FAILED") == 100
        assert daemon.value("runs_finished_total", task="work", status="COMPLETED") == 200
        assert daemon.value("runs_open", task="work", status="EXECUTING") == 1


async def test_a_page_is_written_without_asking_anybody(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=600) as story, story.daemon() as daemon:
        await daemon.poll()
        before = asked(story)
        for _ in range(10):
            story.clock.advance(3600)
            assert daemon.page()
        assert asked(story) == before


async def test_eight_days_away_are_made_up_for_within_the_share(tmp_path: Path) -> None:
    """Longer than ids are remembered, with a restart in the middle: 50,000 runs, each once."""
    share = {"quota": Quota(requests_per_minute=1500, share=0.10)}
    async with tell(tmp_path) as story:
        world = story.world
        # These were counted before, lie in the overlap, and their ids are about to be forgotten.
        for number in range(40):
            world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now() + number * SECOND)
        async with story.daemon(**share) as daemon:
            await daemon.poll_due()
            await story.let(daemon, 90)
            assert daemon.total("runs_finished_total") == 40
        away = 8 * DAY
        begun = story.clock.now()
        story.clock.advance(away / SECOND)
        runs = 50_000
        for number in range(runs):
            born = begun + number * away // runs
            failed = number % 20 == 0
            world.add_run(task=f"task-{number % 5}", status="FAILED" if failed else "COMPLETED", created_at=born)
        logs = [asked(story)]
        async with story.daemon(**share) as daemon:
            await story.let(daemon, 120)
            assert daemon.value("catching_up") == 1
            assert 5_000 <= daemon.total("runs_finished_total") < 40_000
        logs.append(asked(story))
        async with story.daemon(**share) as daemon:
            await story.let(daemon, 600, step=30)
            assert daemon.value("catching_up") == 0
            assert daemon.total("runs_finished_total") == runs + 40
            assert daemon.total("runs_triggered_total") == runs + 40
            assert daemon.value("collector_errors_total", collector="runs", reason="too_late") is None
            without = (*FOLDED, "run_attempts", "run_last", "run_consecutive")
            assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=without) == []
        log = [request.at for request in story.simulator.requests]
        # A process does not know what the one before it asked; each keeps to the share.
        for instants in (log[logs[0] : logs[1]], log[logs[1] :]):
            busiest = max(bisect_right(instants, at + MINUTE) - place for place, at in enumerate(instants))
            assert busiest <= 150
