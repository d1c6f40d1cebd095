"""Batches are followed by id, from whoever mentions one, until they end: once, and as what they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Story, difference, tell
from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND

BATCH = ("batch",)


def pass_time(story: Story, seconds: float) -> None:
    """Let the world live so long, too: what is scripted next happens then."""
    story.clock.advance(seconds)
    story.world.advance(story.clock.now())


def of_batch(story: Story, batch: str, items: int, **fields: str) -> None:
    for _ in range(items):
        story.world.add_run(task="mail", batch_id=batch, **fields)  # type: ignore[arg-type]


async def test_a_batch_is_found_by_the_query(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        pass_time(story, 61)
        batch = story.world.add_batch(items_created=3)
        of_batch(story, batch, 3, status="EXECUTING")
        await daemon.poll()
        assert daemon.value("batches_triggered_total") == 1
        assert daemon.value("batches_open", status="PENDING") == 1
        assert daemon.value("batches_oldest_open_timestamp_seconds", status="PENDING") == story.clock.now() / 1000
        pass_time(story, 40)
        story.world.change_batch(batch, "COMPLETED")
        await daemon.poll()
        assert daemon.value("batches_finished_total", status="COMPLETED") == 1
        assert daemon.value("batch_items_total", result="created") == 3
        assert daemon.value("batch_items_total", result="failed") == 0
        assert daemon.value("batch_duration_seconds_sum") == 40
        assert daemon.value("batches_open", status="PENDING") == 0
        assert difference(daemon.page(), story.truth(daemon), *BATCH) == []


async def test_a_batch_is_found_by_a_run_that_was_retrieved(tmp_path: Path) -> None:
    """Where the query is not allowed, runs that are asked for by themselves tell of their batch."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.faults.on("query", deny=403)
        await daemon.poll()
        batch = story.world.add_batch(items_created=2)
        of_batch(story, batch, 2, status="EXECUTING", id="")
        await daemon.poll()
        pass_time(story, 300)
        story.world.add_run(task="other", status="COMPLETED")
        await daemon.poll()
        assert daemon.value("batches_triggered_total") == 0, "lists do not tell"
        run = next(one for one in story.world.runs.values() if one.batch_id == batch)
        story.world.change_run(run.id, "COMPLETED")
        pass_time(story, 30)
        await daemon.poll()
        assert daemon.value("batches_triggered_total") == 1
        assert daemon.value("batches_open", status="PENDING") == 1
        story.world.change_batch(batch, "COMPLETED")
        pass_time(story, 60)
        await daemon.poll()
        assert daemon.value("batches_finished_total", status="COMPLETED") == 1
        assert daemon.value("run_attempts_total", task="mail") == 1, "a retrieved run tells its attempts, too"


@pytest.mark.parametrize("profile", ["v4.5", "seed"])
async def test_configured_batches_are_followed(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story:
        batches = [story.world.add_batch(items_created=2, created_at=story.clock.now() + SECOND) for _ in range(2)]
        for batch in batches:
            of_batch(story, batch, 2, status="EXECUTING")
        async with story.daemon(batches=tuple(batches)) as daemon:
            await daemon.poll()
            assert daemon.value("batches_open", status="PENDING") == 2
            story.world.change_batch(batches[0], "COMPLETED")
            await story.let(daemon, 60)
            assert daemon.value("batches_triggered_total") == 2
            assert daemon.value("batches_finished_total", status="COMPLETED") == 1


async def test_a_batch_that_ever_was_partial_ends_as_that(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batch = story.world.add_batch(status="PROCESSING", items_created=2, created_at=story.clock.now() + SECOND)
        of_batch(story, batch, 2, status="EXECUTING")
        async with story.daemon(batches=(batch,)) as daemon:
            await daemon.poll()
            story.world.change_batch(batch, "PARTIAL_FAILED", items_failed=3)
            pass_time(story, 31)
            await daemon.poll()
            assert daemon.value("batches_open", status="PARTIAL_FAILED") == 1
            assert daemon.total("batches_finished_total") == 0, "its runs go on"
            pass_time(story, 30)
            story.world.change_batch(batch, "COMPLETED")
            await daemon.poll()
            await daemon.poll()
            assert daemon.value("batches_finished_total", status="PARTIAL_FAILED") == 1
            assert daemon.value("batches_finished_total", status="COMPLETED") == 0
            assert daemon.value("batch_items_total", result="created") == 2
            assert daemon.value("batch_items_total", result="failed") == 3
            assert difference(daemon.page(), story.truth(daemon), *BATCH) == []


async def test_an_aborted_batch(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batch = story.world.add_batch(status="PROCESSING", created_at=story.clock.now() + SECOND)
        async with story.daemon(batches=(batch,)) as daemon:
            await daemon.poll()
            pass_time(story, 31)
            story.world.change_batch(batch, "ABORTED", items_failed=5)
            await daemon.poll()
            assert daemon.value("batches_finished_total", status="ABORTED") == 1
            assert daemon.value("batch_items_total", result="failed") == 5
            assert daemon.total("batches_open") == 0


async def test_what_ended_before_birth_is_not_counted(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        now = story.clock.now()
        batch = story.world.add_batch(status="COMPLETED", created_at=now - HOUR, updated_at=now - MINUTE)
        still = story.world.add_batch(status="PENDING", created_at=now - HOUR, items_created=1)
        of_batch(story, still, 1, status="EXECUTING")
        async with story.daemon(batches=(batch, still)) as daemon:
            await daemon.poll()
            assert daemon.value("batches_triggered_total") == 0
            assert daemon.total("batches_finished_total") == 0
            assert daemon.value("batches_open", status="PENDING") == 1
            pass_time(story, 300)
            story.world.change_batch(still, "COMPLETED")
            await daemon.poll()
            await story.let(daemon, 700)
            assert daemon.value("batches_finished_total", status="COMPLETED") == 1, "its end came after birth"
            assert daemon.value("batches_triggered_total") == 0
            assert difference(daemon.page(), story.truth(daemon), *BATCH) == []


async def test_a_wrong_id_in_the_configuration_is_said_once(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon(batches=("batch_nowhere",)) as daemon:
        await story.let(daemon, 300)
        assert daemon.value("collector_errors_total", collector="batches", reason="vanished") == 1
        asked = story.simulator.simulator.counts["batch"]
        await story.let(daemon, 3600, step=30)
        assert story.simulator.simulator.counts["batch"] == asked, "it is not asked for for ever"
        assert daemon.value("collector_errors_total", collector="batches", reason="vanished") == 1
        assert daemon.value("collector_up", collector="batches") == 1


async def test_a_batch_in_the_configuration_is_counted_once_however_long_it_stays_there(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batch = story.world.add_batch(created_at=story.clock.now() + SECOND)
        async with story.daemon(batches=(batch,)) as daemon:
            await daemon.poll()
            pass_time(story, 60)
            story.world.change_batch(batch, "COMPLETED")
            await daemon.poll()
            await story.let(daemon, 22 * DAY / SECOND, step=12 * HOUR / SECOND)
            assert daemon.value("batches_finished_total", status="COMPLETED") == 1
            assert daemon.value("batches_triggered_total") == 1
            assert daemon.total("collector_errors_total") == 0


async def test_a_batch_that_cannot_be_read_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batches = [story.world.add_batch(created_at=story.clock.now() + SECOND + n) for n in range(3)]
        # What the simulator cannot write is a 500.
        story.world.batches[batches[0]].items_created = object()  # type: ignore[assignment]
        async with story.daemon(batches=tuple(batches)) as daemon:
            await story.let(daemon, 60)
            for batch in batches[1:]:
                story.world.change_batch(batch, "COMPLETED")
            await story.let(daemon, 120)
            assert daemon.value("batches_finished_total", status="COMPLETED") == 2
            assert daemon.value("collector_errors_total", collector="batches", reason="http") > 0  # type: ignore[operator]


async def test_many_open_batches_cost_less_and_less(tmp_path: Path) -> None:
    """A crowd that is stuck is not asked after each time."""
    async with tell(tmp_path) as story:
        batches = [story.world.add_batch(created_at=story.clock.now() - 2 * DAY) for n in range(40)]
        async with story.daemon(batches=tuple(batches)) as daemon:
            await daemon.poll()
            asked = story.simulator.simulator.counts["batch"]
            await story.let(daemon, 1200, step=30)
            assert story.simulator.simulator.counts["batch"] - asked <= 2 * 40
            assert daemon.value("batches_open", status="PENDING") == 40
