"""The main promise as a story: after a while in the life of a shop, every number on the page is the true one."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Daemon, Series, Story, difference, tell

RUNS = ("runs_", "run_")
LIVE = ("queue_depth", "queue_running", "queue_concurrency_limit", "queue_paused")
THINGS = ("batch", "schedules", "schedule_next_run", "schedule_missed", "deployment", "waitpoint")
#: The look-back makes these the page's own: it knows runs that were created before it, the truth's window does not.
FOLDED = ("runs_by_version_finished_total",)
#: The seed shows DEQUEUED as EXECUTING, has no tokens, no batch ids, no cost, no runtime.
TOLD_BY_BOTH = (
    "runs_triggered_total",
    "runs_started_total",
    "runs_finished_total",
    "runs_by_version_finished_total",
    "runs_test_finished_total",
    "run_wait_seconds",
    "run_duration_seconds",
    "run_last_",
    "run_consecutive_failures",
    "queue_depth",
    "queue_running",
    "queue_paused",
    "queue_concurrency_limit",
    "schedules",
    "schedule_next_run",
    "schedule_last_",
    "schedule_info",
    "schedule_missed",
    "deployments_open",
    "task_info",
)


async def stand_still_and_look(story: Story, daemon: Daemon) -> None:
    """Freeze the world and let us finish: everything that is visible now has been read."""
    await daemon.poll()
    await daemon.poll()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_day_in_the_shop_is_told_as_it_was(tmp_path: Path, seed: int) -> None:
    async with tell(tmp_path, "shop", seed=seed, history_s=7200) as story, story.daemon() as daemon:
        await story.let(daemon, 1800)
        story.clock.advance(61)  # once-a-minute enrichment is due again
        await stand_still_and_look(story, daemon)
        assert difference(daemon.page(), story.truth(daemon), *RUNS, *LIVE, *THINGS, without=FOLDED) == []
        versions = [v for (n, _), v in story.truth(daemon).items() if n == "triggerdev_runs_by_version_finished_total"]
        assert daemon.total("runs_by_version_finished_total") == sum(versions)


async def test_a_restart_in_the_middle_changes_no_total(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=7200) as story:
        async with story.daemon() as daemon:
            await story.let(daemon, 300)
            before = daemon.page()
            birth = daemon.value("counting_since_timestamp_seconds")
        async with story.daemon() as daemon:
            after = daemon.page()
            # Before the first request, the page already tells what was counted.
            counters = {place: value for place, value in before.items() if place[0].endswith(("_total", "_bucket"))}
            kept = {p: v for p, v in counters.items() if not p[0].startswith(("triggerdev_api_", "triggerdev_coll"))}
            lost = {p: (v, after.get(p, 0.0)) for p, v in kept.items() if v and after.get(p) != v}
            assert lost == {}
            await story.let(daemon, 300)
            story.clock.advance(61)
            await stand_still_and_look(story, daemon)
            assert daemon.value("counting_since_timestamp_seconds") == birth
            assert difference(daemon.page(), story.truth(daemon), *RUNS, *LIVE, *THINGS, without=FOLDED) == []


async def test_an_hour_of_ours_away_is_made_up_for(tmp_path: Path) -> None:
    async with tell(tmp_path, "shop", history_s=7200) as story:
        async with story.daemon() as daemon:
            await story.let(daemon, 120)
        story.clock.advance(3600)
        async with story.daemon() as daemon:
            await story.let(daemon, 60)
            story.clock.advance(61)
            await stand_still_and_look(story, daemon)
            # A token or attempt that came and went while we were away is only partly told by the API.
            assert difference(daemon.page(), story.truth(daemon), *RUNS, *LIVE, without=(*FOLDED, "run_attempts")) == []


async def test_both_dialects_tell_the_same_story(tmp_path: Path) -> None:
    pages: dict[str, Series] = {}
    followed: list[str] = []
    delayed: set[str] = set()
    for profile in ("v4.5", "seed"):
        folder = tmp_path / profile
        async with tell(folder, "shop", profile=profile, history_s=7200) as story:
            followed = followed or list(story.world.batches)[-5:]
            async with story.daemon(batches=tuple(followed)) as daemon:
                await story.let(daemon, 900)
                await stand_still_and_look(story, daemon)
                delayed = {run.task for run in story.world.runs.values() if run.delayed_until is not None}
                families = ("runs_triggered", "runs_started", "runs_finished", "run_duration", *LIVE)
                assert difference(daemon.page(), story.truth(daemon), *families) == [], profile
                # The seed does not tell until when a run was delayed, so it cannot tell how long such a run waited.
                pages[profile] = {
                    place: value
                    for place, value in daemon.page().items()
                    if not (place[0].startswith("triggerdev_run_wait") and dict(place[1])["task"] in delayed)
                }
    assert delayed == {"build-report"}, "most tasks have no delayed runs, or the comparison of waits is hollow"
    assert difference(pages["seed"], pages["v4.5"], *TOLD_BY_BOTH) == []


async def test_both_dialects_tell_the_same_of_listed_batches(tmp_path: Path) -> None:
    listed = ("batch_fine", "batch_partly", "batch_never", "batch_open")
    pages: dict[str, Series] = {}
    for profile in ("v4.5", "seed"):
        async with (
            tell(tmp_path / profile, profile=profile) as story,
            story.daemon(batches=listed) as daemon,
        ):
            await daemon.poll()
            world = story.world
            story.clock.advance(30)
            world.advance(story.clock.now())
            world.add_batch(id="batch_fine", items_created=5)
            world.add_batch(id="batch_partly", items_created=3, items_failed=2, status="PARTIAL_FAILED")
            world.add_batch(id="batch_never", items_failed=4)
            world.add_batch(id="batch_open", items_created=7, status="PROCESSING")
            for batch, runs in (("batch_fine", 5), ("batch_partly", 3), ("batch_open", 7)):
                for _ in range(runs):
                    world.add_run(task="work", status="EXECUTING", batch_id=batch)
            await story.let(daemon, 60)
            world.change_batch("batch_fine", "COMPLETED")
            world.change_batch("batch_partly", "COMPLETED")
            world.change_batch("batch_never", "ABORTED")
            await story.let(daemon, 90)
            assert difference(daemon.page(), story.truth(daemon), "batch") == [], profile
            pages[profile] = daemon.page()
    assert difference(pages["seed"], pages["v4.5"], "batch") == []


@pytest.mark.parametrize("profile", ["v4.4", "latest"])
async def test_other_server_generations_are_understood(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, "shop", profile=profile, history_s=3600) as story, story.daemon() as daemon:
        await story.let(daemon, 600)
        story.clock.advance(61)
        await stand_still_and_look(story, daemon)
        assert difference(daemon.page(), story.truth(daemon), *RUNS, *LIVE, without=FOLDED) == []
        assert daemon.value("collector_up", collector="deployments") == 1
