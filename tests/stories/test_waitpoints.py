"""Tokens: what waits, since when, and how it ended, also between two looks and on the second page."""

from __future__ import annotations

from pathlib import Path

import pytest

from story import Daemon, Story, difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND

TOKENS = ("waitpoint",)


async def look(story: Story, daemon: Daemon, after: float = 300) -> None:
    story.clock.advance(after)
    await daemon.poll("waitpoints")


async def test_tokens_that_end_between_looks(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        world = story.world
        early = world.add_token()
        await daemon.poll()
        assert daemon.value("waitpoint_tokens_open") == 1
        assert daemon.value("waitpoint_tokens_oldest_open_timestamp_seconds") == story.clock.now() / 1000
        world.change_token(early, "COMPLETED")
        now = story.clock.now()
        world.add_token(status="COMPLETED", created_at=now + SECOND, completed_at=now + 10 * SECOND)
        world.add_token(status="TIMED_OUT", created_at=now + SECOND, completed_at=now + 20 * SECOND)
        waiting = world.add_token(created_at=now + 2 * SECOND)
        await look(story, daemon)
        assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") == 2
        assert daemon.value("waitpoint_tokens_finished_total", status="TIMED_OUT") == 1
        assert daemon.value("waitpoint_tokens_open") == 1
        world.change_token(waiting, "TIMED_OUT")
        await look(story, daemon)
        assert daemon.value("waitpoint_tokens_finished_total", status="TIMED_OUT") == 2
        assert daemon.value("waitpoint_tokens_open") == 0
        assert daemon.value("waitpoint_tokens_oldest_open_timestamp_seconds") is None
        assert difference(daemon.page(), story.truth(daemon), *TOKENS) == []


async def test_tokens_of_before_birth(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        now = story.clock.now()
        story.world.add_token(status="COMPLETED", created_at=now - 10 * MINUTE, completed_at=now - 5 * MINUTE)
        old = story.world.add_token(created_at=now - 48 * HOUR)
        async with story.daemon() as daemon:
            await daemon.poll()
            assert daemon.total("waitpoint_tokens_finished_total") == 0
            assert daemon.value("waitpoint_tokens_open") == 1, "however old: it waits"
            story.world.change_token(old, "COMPLETED")
            await look(story, daemon)
            assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") == 1
            assert difference(daemon.page(), story.truth(daemon), *TOKENS) == []


async def test_a_token_that_was_deleted_vanishes(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        token = story.world.add_token()
        await daemon.poll()
        del story.world.tokens[token]
        for _ in range(2):
            await look(story, daemon)
            assert daemon.value("waitpoint_tokens_open") == 1
        await look(story, daemon)
        assert daemon.value("waitpoint_tokens_open") == 0
        assert daemon.value("collector_up", collector="waitpoints") == 1, "500 is how the server says: unknown"
        assert daemon.total("waitpoint_tokens_finished_total") == 0
        assert daemon.value("collector_errors_total", collector="waitpoints", reason="vanished") == 1


@pytest.mark.parametrize("profile", ["v4.5", "v4.4"])
async def test_a_second_page_that_fails_loses_no_token(tmp_path: Path, profile: str) -> None:
    async with tell(tmp_path, profile=profile) as story, story.daemon() as daemon:
        await daemon.poll()
        begun = story.clock.now()
        for number in range(250):
            status = "COMPLETED" if number % 2 else "WAITING"
            story.world.add_token(status=status, created_at=begun + number * SECOND)
        story.clock.advance(300)
        # The first page takes a second; then the endpoint is broken.
        story.faults.on("tokens", latency_s=1.0)
        story.world.at(story.clock.now() + 500, lambda: story.faults.on("tokens", status=400))
        await daemon.poll("waitpoints")
        assert daemon.value("collector_errors_total", collector="waitpoints", reason="http") == 1
        assert daemon.total("waitpoint_tokens_finished_total") == 0, "the walk is all or nothing"
        story.faults.clear()
        await look(story, daemon)
        assert daemon.value("waitpoint_tokens_finished_total", status="COMPLETED") == 125
        assert daemon.value("waitpoint_tokens_open") == 125
        assert difference(daemon.page(), story.truth(daemon), *TOKENS) == []


async def test_the_seed_has_no_tokens(tmp_path: Path) -> None:
    async with tell(tmp_path, profile="seed") as story, story.daemon() as daemon:
        await daemon.poll()
        assert daemon.value("collector_supported", collector="waitpoints") == 0
        assert not [name for name, _ in daemon.page() if name.startswith("triggerdev_waitpoint")]
        assert daemon.total("collector_errors_total") == 0, "that is no error"
