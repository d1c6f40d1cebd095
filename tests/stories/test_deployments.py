"""Deployments: each once, at its end; the current one, and the tasks that it brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Story, difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE

FAMILIES = ("deployment",)


def pass_time(story: Story, seconds: float) -> None:
    """Let the world live so long, too: what is scripted next happens then."""
    story.clock.advance(seconds)
    story.world.advance(story.clock.now())


async def test_from_pending_to_deployed(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        world = story.world
        world.add_deployment(version="1", created_at=story.clock.now() - HOUR, tasks=("old",))
        await daemon.poll()
        assert daemon.total("deployments_finished_total") == 0, "that was before birth"
        assert daemon.value("deployment_current_info", version="1", runtime="node-22") == 1
        deployment = world.add_deployment(version="2", status="PENDING", tasks=("old", "new"))
        begun = story.clock.now()
        for status in ("INSTALLING", "BUILDING", "DEPLOYING"):
            pass_time(story, 300)
            world.change_deployment(deployment, status)
            await daemon.poll("deployments")
            assert daemon.value("deployments_open") == 1
            assert daemon.value("deployments_oldest_open_timestamp_seconds") == begun / 1000
            assert daemon.value("deployment_current_info", version="1", runtime="node-22") == 1
        pass_time(story, 300)
        world.change_deployment(deployment, "DEPLOYED")
        await daemon.poll()
        await daemon.poll()
        assert daemon.value("deployments_finished_total", status="DEPLOYED") == 1
        assert daemon.value("deployments_open") == 0
        assert daemon.value("deployment_current_info", version="2", runtime="node-22") == 1
        assert daemon.value("deployment_current_info", version="1", runtime="node-22") is None
        assert difference(daemon.page(), story.truth(daemon), *FAMILIES) == []


@pytest.mark.parametrize("status", ["FAILED", "CANCELED", "TIMED_OUT"])
async def test_other_ends(tmp_path: Path, status: str) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        before = story.world.add_deployment(status="BUILDING", created_at=story.clock.now() - 10 * MINUTE)
        story.world.add_deployment(status=status, created_at=story.clock.now() - HOUR)
        await daemon.poll()
        pass_time(story, 60)
        story.world.change_deployment(before, status)
        story.world.add_deployment(status=status)
        for _ in range(3):
            pass_time(story, 300)
            await daemon.poll()
        assert daemon.value("deployments_finished_total", status=status) == 2
        assert daemon.total("deployments_finished_total") == 2
        assert difference(daemon.page(), story.truth(daemon), *FAMILIES) == []


async def test_many_deployments_over_pages(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        for number in range(230):
            story.world.add_deployment(status="FAILED", created_at=story.clock.now() - (230 - number) * MINUTE)
        await daemon.poll()
        assert daemon.total("deployments_finished_total") == 0
        pass_time(story, 60)
        for _ in range(3):
            story.world.add_deployment(status="DEPLOYED")
        pass_time(story, 300)
        await daemon.poll()
        assert daemon.value("deployments_finished_total", status="DEPLOYED") == 3
        assert daemon.value("deployments_finished_total", status="FAILED") == 0


async def test_a_task_starts_at_zero_before_its_first_run(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(version="7", tasks=("mail", "report"))
        await daemon.poll()
        for task in ("mail", "report"):
            assert daemon.value("runs_triggered_total", task=task) == 0
            assert daemon.value("runs_finished_total", task=task, status="FAILED") == 0
            assert daemon.value("task_info", task=task, owner="", version="7") == 1
        story.world.add_run(task="mail", status="COMPLETED", version="7", created_at=story.clock.now())
        story.clock.advance(30)
        await daemon.poll()
        assert daemon.value("runs_triggered_total", task="mail") == 1


@pytest.mark.parametrize("profile", ["v4.4", "v4.5", "latest", "seed"])
async def test_every_server_tells_its_current_deployment(tmp_path: Path, profile: str) -> None:
    """v4.4 and the seed cannot be asked for it: the one deployed last is taken."""
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        now = story.clock.now()
        story.world.add_deployment(version="1", created_at=now - HOUR, tasks=("mail",))
        story.world.add_deployment(version="2", created_at=now - MINUTE, tasks=("mail", "new"))
        story.world.add_deployment(version="3", created_at=now, status="BUILDING")
        await daemon.poll()
        assert daemon.total("deployment_current_info", version="2") == 1
        assert daemon.total("deployment_current_info") == 1
        assert daemon.value("collector_up", collector="deployments") == 1
        assert daemon.total("collector_errors_total") == 0


async def test_an_environment_without_any(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        assert daemon.value("collector_up", collector="deployments") == 1
        assert daemon.value("deployments_open") == 0
        assert daemon.total("deployment_current_info") == 0


async def test_an_open_one_that_is_deleted_is_given_up_and_said_so(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        world = story.world
        world.add_deployment(version="1", created_at=story.clock.now() - HOUR)
        stuck = world.add_deployment(version="2", status="BUILDING")
        await daemon.poll("deployments")
        assert daemon.value("deployments_open") == 1
        del world.deployments[stuck]
        await daemon.poll("deployments")
        assert daemon.value("deployments_open") == 0
        assert daemon.value("collector_errors_total", collector="deployments", reason="vanished") == 1


async def test_a_list_that_is_suddenly_empty_is_doubted_once(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(version="1", status="BUILDING")
        await daemon.poll("deployments")
        story.world.deployments.clear()
        await daemon.poll("deployments")
        assert daemon.value("collector_errors_total", collector="deployments", reason="truncated") == 1
        assert daemon.value("deployments_open") == 1
        await daemon.poll("deployments")
        assert daemon.value("deployments_open") == 0
