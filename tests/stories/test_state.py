"""What a state file stands for: one environment, one birth, and how far it was read."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from story import Daemon, Story, difference, tell
from triggerdev_exporter.app import open_targets
from triggerdev_exporter.config.model import Config, Target
from triggerdev_exporter.ledger.store import open_store
from triggerdev_exporter.simulator.scenario import EMPTY
from triggerdev_exporter.simulator.world import World

COLLECTORS = ("runs", "queues", "batches", "schedules", "deployments", "waitpoints")
STAGING = "tr_stg_story"


def other_world(story: Story) -> World:
    """A second environment behind the same URL, for keys of staging."""
    return World(EMPTY, seed=99, start=story.clock.now(), environment="stg")


def fill(world: World, runs: int) -> None:
    for _ in range(runs):
        world.add_run(task="mail", status="COMPLETED")
    world.add_deployment(tasks=("mail",))
    world.add_schedule(task="mail", cron="* * * * *")
    world.add_token(status="COMPLETED")
    world.add_queue("emails", extra_queued=9)


def lose_state(folder: Path) -> None:
    for file in folder.glob("state.db*"):
        file.unlink()


async def test_a_key_of_another_environment_counts_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with tell(tmp_path) as story:
        staging = other_world(story)
        story.simulator.simulator.environments["stg"] = staging
        async with story.daemon() as daemon:
            fill(story.world, 3)
            await daemon.poll()
            story.clock.advance(30)
            await daemon.poll()
            assert daemon.total("runs_finished_total") == 3
            counters = {p: v for p, v in daemon.page().items() if p[0].endswith("_total") and "_api_" not in p[0]}
        staging.advance(story.clock.now())
        fill(staging, 50)
        story.clock.advance(60)
        async with story.daemon(secret_key=SecretStr(STAGING)) as daemon:
            await story.let(daemon, 900)
            page = daemon.page()
            changed = {place: (v, page.get(place)) for place, v in counters.items() if page.get(place, 0) != v}
            assert changed == {}
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {0}
            assert daemon.value("collector_errors_total", collector="runs", reason="state") > 0  # type: ignore[operator]
            assert daemon.value("queue_depth", queue="emails") is None
            assert daemon.value("waitpoint_tokens_open") is None
            told = [getattr(record, "why", "") for record in caplog.records]
            assert any("a target name or a state file of its own" in str(why) for why in told)
        caplog.clear()
        async with story.daemon() as daemon:
            await story.let(daemon, 330)
            assert {daemon.value("collector_up", collector=name) for name in COLLECTORS} == {1}
            await daemon.poll()
            families = ("runs_", "deployments_finished", "waitpoint_tokens_finished")
            assert difference(daemon.page(), story.truth(daemon), *families) == []


async def test_two_targets_in_one_process_keep_apart(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, AsyncExitStack() as stack:
        staging = other_world(story)
        story.simulator.simulator.environments["stg"] = staging
        config = Config(
            targets=(
                story.config(labels={"project": "shop"}).targets[0],
                Target(name="stg", api_url=story.simulator.url, secret_key=SecretStr(STAGING)),
            ),
            state=tmp_path / "state.db",
        )
        store = open_store(config.state)
        stack.push_async_callback(store.close)
        daemon = Daemon(await stack.enter_async_context(open_targets(config, story.clock, store)), story.clock)
        await daemon.poll()
        for number in range(5):
            story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now() + number)
        staging.add_run(task="mail", status="FAILED", created_at=story.clock.now())
        story.faults.revoked.clear()
        story.clock.advance(30)
        await daemon.poll()
        text = daemon.text()
        line = 'triggerdev_runs_finished_total{target="prod",project="shop",task="mail",status="COMPLETED"} 5.0'
        found = {frozenset(part.split(",")) for part in text.replace("}", "{").split("{") if "status=" in part}
        assert frozenset(line.replace("}", "{").split("{")[1].split(",")) in found
        assert 'target="stg"' in text
        # One revoked key takes down its own target only.
        story.faults.revoked.add(STAGING)
        story.clock.advance(30)
        await daemon.poll()
        ups = {part for part in daemon.text().splitlines() if part.startswith("triggerdev_up{")}
        assert {up.rpartition(" ")[2] for up in ups if "stg" in up} == {"0.0"}
        assert {up.rpartition(" ")[2] for up in ups if "prod" in up} == {"1.0"}


@pytest.mark.parametrize("count_them", [False, True])
async def test_test_runs_are_counted_as_the_configuration_says(tmp_path: Path, count_them: bool) -> None:
    async with tell(tmp_path) as story, story.daemon(test_runs=count_them) as daemon:
        await daemon.poll()
        for _ in range(4):
            story.world.add_run(task="mail", status="FAILED", is_test=True, created_at=story.clock.now())
        story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now())
        story.world.add_run(task="mail", status="EXECUTING", is_test=True, created_at=story.clock.now())
        story.clock.advance(30)
        await daemon.poll()
        assert daemon.value("runs_finished_total", task="mail", status="FAILED") == 4 * count_them
        assert daemon.value("runs_triggered_total", task="mail") == 1 + 5 * count_them
        assert daemon.value("runs_test_finished_total", task="mail") == (None if count_them else 4)
        assert daemon.total("runs_open", task="mail") == count_them
        assert daemon.value("run_consecutive_failures", task="mail") == 0


async def test_a_lost_state_begins_anew(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        async with story.daemon() as daemon:
            await daemon.poll()
            story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now())
            story.clock.advance(30)
            await daemon.poll()
            first = daemon.value("counting_since_timestamp_seconds")
            assert daemon.total("runs_finished_total") == 1
        lose_state(tmp_path)
        story.clock.advance(30)
        async with story.daemon() as daemon:
            await daemon.poll()
            again = daemon.value("counting_since_timestamp_seconds")
            assert first is not None
            assert again is not None
            assert again > first
            assert daemon.total("runs_finished_total") == 0, "it is before this birth"
            assert daemon.value("run_last_finished_timestamp_seconds", task="mail") is not None, "the look-back knows"
            story.world.add_run(task="mail", status="COMPLETED", created_at=story.clock.now())
            story.clock.advance(30)
            await daemon.poll()
            assert daemon.total("runs_finished_total") == 1
            assert difference(daemon.page(), story.truth(daemon), "runs_", "run_", without=("run_attempts",)) == []


async def test_birth_is_the_servers_time(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.clock_skew_s = 3600
        await daemon.poll()
        assert daemon.value("counting_since_timestamp_seconds") == pytest.approx(
            story.clock.now() / 1000 + 3600, abs=1.5
        )
