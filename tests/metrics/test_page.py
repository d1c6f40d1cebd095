"""The page itself: its text for a small scripted world, and that both formats say the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from bench.crowd import Crowd, page_of_news
from story import Daemon, Story, read_page, tell
from triggerdev_exporter.metrics.negotiation import Format
from triggerdev_exporter.metrics.page import AT_A_TIME, Kept, Page
from virtual_clock import VirtualClock

GOLDEN = Path(__file__).parent / "page.txt"
#: What is different in every run: where the simulator listens, how long things took, and who runs this.
VARYING = ("api_url=", "_duration_seconds_", "collector_duration_seconds", "exporter_build_info")


async def a_small_world(story: Story, daemon: Daemon) -> None:
    """Two tasks, one queue each kind, one of everything else."""
    await daemon.poll()
    world, now = story.world, story.clock.now()
    world.add_queue("emails", limit=5, paused=True)
    for number, status in enumerate(("COMPLETED_SUCCESSFULLY", "COMPLETED_WITH_ERRORS", "EXECUTING", "QUEUED")):
        world.add_run(
            task='odd "name"\\' if number == 3 else "send-email",
            status=status,
            created_at=now + 1_000 * number,
            id=f"run_{number}",
            queue="emails",
            version="20261123.1",
        )
    world.add_schedule(task="digest", cron="0 3 * * *", timezone="Europe/London", id="sched_1")
    world.add_deployment(version="20261123.1", tasks=("send-email", "never-ran"), id="deployment_1", created_at=now + 1)
    world.add_token(id="waitpoint_1", created_at=now + 2)
    story.clock.advance(60)
    for state in daemon.target.states.values():
        state.look_again_at = 0
    await daemon.poll()
    await daemon.poll()


def steady(text: str) -> str:
    kept = [line for line in text.splitlines() if not any(word in line for word in VARYING)]
    return "\n".join(kept) + "\n"


async def test_the_page_of_a_small_world(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await a_small_world(story, daemon)
        text = steady(daemon.text())
        if not GOLDEN.exists():
            GOLDEN.write_text(text)
            pytest.fail(f"{GOLDEN.name} was missing and is written anew: read it, then run again")
        assert text == GOLDEN.read_text(), f"if the change is meant, delete {GOLDEN.name}, run again and read the diff"


async def test_both_formats_say_the_same(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await a_small_world(story, daemon)
        plain = read_page(daemon.text())
        text = daemon.text(Format.OPENMETRICS_1)
        assert text.endswith("# EOF\n")
        told = {}
        created = {}
        for family in read_openmetrics(text):
            for sample in family.samples:
                labels = frozenset((key, value) for key, value in sample.labels.items() if key != "target")
                place = created if sample.name.endswith("_created") else told
                place[sample.name, labels] = sample.value
        assert told == plain
        # Since when counters count: the birth of the state, not the start of the process.
        assert set(created.values()) == {daemon.value("counting_since_timestamp_seconds")}


async def test_a_label_that_escapes_badly_comes_back_as_it_was(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await a_small_world(story, daemon)
        assert daemon.value("runs_triggered_total", task='odd "name"\\') == 1


async def test_a_static_label_is_on_every_series_whatever_a_family_calls_its_own(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon(labels={"project": "shop"}) as daemon:
        await a_small_world(story, daemon)
        series = [labels for name, labels in daemon.page() if not name.startswith("triggerdev_exporter_")]
        assert series
        assert {dict(labels)["project"] for labels in series} == {"shop"}


class HurriedClock(VirtualClock):
    """Every look at it finds that the turn is over, and in every pause something happens to the crowd."""

    crowd: Crowd

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()

    async def sleep(self, seconds: float) -> None:
        self.crowd.ledger.absorb(page_of_news(self.crowd.tasks, self.crowd.random, share=0.1))
        await super().sleep(seconds)


@pytest.mark.parametrize("format_", [Format.TEXT_0, Format.OPENMETRICS_1])
async def test_a_page_that_is_written_in_turns_tells_one_instant_of_a_target(tmp_path: Path, format_: Format) -> None:
    clock = HurriedClock()
    crowd = clock.crowd = Crowd(100, clock, tmp_path)
    now, kept = clock.now(), Kept()

    def page(kept: Kept | None) -> Page:
        return Page((crowd.target,), now, loaded_at=now, state_bytes=0, kept=kept)

    before = page(None).text(format_)
    first, second = await asyncio.gather(*(page(kept).text_in_turns(format_, clock) for _ in range(2)))
    assert len(clock.slept) > crowd.tasks * 7 // AT_A_TIME
    assert first.body.text == before.body.text
    # It waited, and what happened meanwhile is in it.
    assert second.body.text != first.body.text
    assert second.body.series == first.body.series
    after = page(None).text(format_)
    third = await page(kept).text_in_turns(format_, clock)
    assert third.body.text == after.body.text
    # Nothing has happened since the last pause: nobody has to wait for that.
    pauses = len(clock.slept)
    crowd.target.sights.queues = ()
    page(kept).text(format_)
    assert await page(kept).text_in_turns(format_, clock) == page(kept).text(format_)
    assert len(clock.slept) == pauses
    await crowd.close()
