"""The number of calls, exactly: what each kind of tick costs, and no story costs more than the bound."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from math import ceil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histories.history import PHASES, SOAK, enact, lives
from story import Daemon, Story, difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND
from triggerdev_exporter.config.model import Quota
from triggerdev_exporter.ledger.coverage import floor
from triggerdev_exporter.ledger.facts import Coverage


class Bill:
    """What was asked since the last look at it."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._paid = 0

    def __call__(self) -> dict[str, int]:
        log = list(self._story.simulator.requests)[self._paid :]
        self._paid += len(log)
        return dict(Counter(request.endpoint for request in log))


def coverage_of(daemon: Daemon) -> Coverage:
    ledger = daemon.target.ledger
    assert ledger is not None
    assert ledger.coverage is not None
    return ledger.coverage


def many(story: Story, count: int, status: str = "COMPLETED", *, ago: float = 20.0, **fields: object) -> list[str]:
    born = story.clock.now() - round(ago * SECOND)
    return [
        story.world.add_run(task="work", status=status, created_at=born + number, **fields)  # type: ignore[arg-type]
        for number in range(count)
    ]


async def test_a_first_start_on_an_empty_project(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        bill = Bill(story)
        await daemon.poll()
        # Queues twice: the probe. Runs: the open ones, the newest ones. Tokens: the newest, those that wait.
        assert bill() == {
            "queues": 2,
            "runs": 2,
            "schedules": 1,
            "deployments": 1,
            "current_deployment": 1,
            "tokens": 2,
            "query": 1,
        }


@pytest.mark.parametrize(
    ("new", "cost"),
    [
        (0, {"queues": 1, "runs": 1}),
        (1, {"queues": 1, "runs": 1, "query": 1}),
        (99, {"queues": 1, "runs": 1, "query": 1}),
        (250, {"queues": 1, "runs": 3, "query": 1}),
    ],
)
async def test_a_steady_tick(tmp_path: Path, new: int, cost: dict[str, int]) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        await daemon.poll()
        story.clock.advance(61)
        await daemon.poll()
        story.clock.advance(61)
        many(story, new)
        bill = Bill(story)
        bill()
        await daemon.poll("queues", "runs")
        assert bill() == cost


async def test_one_long_run_ends(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        (run,) = many(story, 1, "EXECUTING", ago=600)
        await daemon.poll()
        many(story, 1, ago=0)
        for _ in range(2):
            story.clock.advance(61)
            await daemon.poll()
        bill = Bill(story)
        bill()
        story.clock.advance(30)
        await daemon.poll("runs")
        assert bill() == {"runs": 2}
        story.world.change_run(run, "COMPLETED")
        story.clock.advance(31)
        await daemon.poll("runs")
        # The open ones, the newest ones, how it ended, and what the query knows of it.
        assert bill() == {"runs": 2, "run": 1, "query": 1}
        story.clock.advance(61)
        await daemon.poll("queues", "runs")
        # Nothing is open any more. The query once more, for what it did not know a minute ago.
        assert bill() == {"queues": 1, "runs": 1, "query": 1}
        story.clock.advance(61)
        await daemon.poll("queues", "runs")
        assert bill() == {"queues": 1, "runs": 1}


async def test_three_hundred_leave_at_once(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        runs = many(story, 300, "EXECUTING", ago=600)
        await daemon.poll()
        story.clock.advance(61)
        await daemon.poll()
        for run in runs:
            story.world.change_run(run, "COMPLETED")
        story.clock.advance(30)
        bill = Bill(story)
        bill()
        await daemon.poll("runs")
        paid = bill()
        # The empty list is asked for twice; then their creation span, which is three or four pages.
        assert paid.pop("run", 0) == 0
        assert paid.pop("query", 0) <= 1
        assert paid["runs"] <= 7
        assert daemon.total("runs_finished_total") == 300


async def test_one_open_batch_costs_a_call_and_later_less(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        batch = story.world.add_batch(status="PROCESSING")
        async with story.daemon(batches=(batch,)) as daemon:
            bill = Bill(story)
            await daemon.poll("batches")
            assert bill() == {"queues": 1, "batch": 1}
            story.clock.advance(30)
            await daemon.poll("batches")
            assert bill() == {"batch": 1}
            asked = 0
            for _ in range(120):
                story.clock.advance(30)
                await daemon.poll("batches")
                asked += bill().get("batch", 0)
            # After an hour it is looked at every three minutes.
            assert 40 <= asked <= 75
            story.world.change_batch(batch, "COMPLETED")
            story.clock.advance(600)
            await daemon.poll("batches")
            assert bill() == {"batch": 1}
            story.clock.advance(600)
            await daemon.poll("batches")
            assert bill() == {}


async def test_an_idle_project_for_an_hour(tmp_path: Path) -> None:
    async with tell(tmp_path, "idle", history_s=60) as story, story.daemon() as daemon:
        await story.let(daemon, 60)
        bill = Bill(story)
        bill()
        await story.let(daemon, 3600)
        paid = bill()
        assert sum(paid.values()) <= 6 * 60
        # Two a minute for queues and for runs each; the sweep and the search for open runs once an hour.
        assert paid["queues"] == 120
        assert paid["runs"] <= 120 + 2
        assert paid.get("query", 0) <= 1


async def test_a_catch_up_takes_its_ticks_and_the_present_comes_first(tmp_path: Path) -> None:
    """8 days away, 50,000 runs, a tenth of the quota: 30 pages a tick, and never a late look at the newest run."""
    interval = 30
    async with tell(tmp_path) as story:
        quota = Quota(requests_per_minute=1500, share=0.10)
        async with story.daemon(quota=quota) as daemon:
            await daemon.poll()
        begun = story.clock.now()
        away = 8 * 24 * HOUR
        story.clock.advance(away / SECOND)
        for number in range(50_000):
            story.world.add_run(task="old", status="COMPLETED", created_at=begun + number * away // 50_000)
        born: list[int] = []
        ticks = 0
        async with story.daemon(quota=quota) as daemon:
            while not ticks or coverage_of(daemon).gaps:
                born.append(story.clock.now() - SECOND)
                story.world.add_run(task="fresh", status="COMPLETED", created_at=born[-1])
                await daemon.poll("queues", "runs")
                ticks += 1
                known = daemon.value("runs_finished_total", task="fresh", status="COMPLETED") or 0
                # What is older than two intervals is on the page, however much is still to be read.
                assert known >= sum(at <= story.clock.now() - 2 * interval * SECOND for at in born)
                assert known == len(born), "the newest pages are read before any old one"
                story.clock.advance(interval)
            assert daemon.value("runs_finished_total", task="old", status="COMPLETED") == 50_000
            log = [request for request in story.simulator.requests if request.at > begun + HOUR]
            for first, request in enumerate(log):
                last = first + 150
                assert last >= len(log) or log[last].at - request.at > MINUTE
            # 500 pages: 50 with the first head walk, then some 30 a tick, which is what one refill makes good.
            assert 12 <= ticks <= 18
            assert difference(daemon.page(), story.truth(daemon), "runs_triggered", "runs_finished") == []


# ── the bound ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def tick_within_bound(story: Story, daemon: Daemon, bill: Bill) -> tuple[int, float]:
    """One tick of the runs, against: 1.25·⌈(new + overlap)/100⌉ + ⌈open/100⌉ + settling + 3. Its calls, and that."""
    ledger = daemon.target.ledger
    assert ledger is not None
    story.world.advance(story.clock.now())
    before = coverage_of(daemon)
    lowest = floor(before, story.clock.now())
    visible = [run for run in story.world.runs.values() if run.visible_at <= story.clock.now()]
    walked = sum(run.created_at >= lowest for run in visible)
    still_open = {run.id for run in visible if not run.is_final}
    settling = len(ledger.runs.keys() - still_open)
    bill()
    await daemon.poll("runs")
    paid = sum(bill().values())
    bound = 1.25 * ceil(walked / 100) + ceil(len(still_open) / 100) + settling + 3
    after = coverage_of(daemon)
    if before.sweep is not None or after.sweep is not None or after.swept_at != before.swept_at:
        # Once an hour, inside the share.
        bound += max(1, ceil(len(visible) / 100))
    assert paid <= bound
    return paid, bound


async def story_within_bound(told: tuple, waits: list[float]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as folder:
        async with tell(Path(folder), quota=None) as story, story.daemon() as daemon:
            enact(story, told)
            await daemon.poll()
            bill = Bill(story)
            for wait in waits:
                story.clock.advance(wait)
                await daemon.poll("queues")
                await tick_within_bound(story, daemon, bill)


@pytest.mark.timeout(0 if SOAK else 120)
@settings(max_examples=1_000 if SOAK else 40, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(lives, st.lists(st.sampled_from((1.0, 10.0, 30.0, 61.0, 400.0, 3_700.0)), max_size=12))
def test_no_story_costs_more_than_the_bound(told: tuple, waits: list[float]) -> None:  # type: ignore[type-arg]
    asyncio.run(story_within_bound(told, waits))


@pytest.mark.parametrize("scenario", ["shop", "busy"])
async def test_no_tick_in_a_busy_place_costs_more_than_the_bound(tmp_path: Path, scenario: str) -> None:
    async with tell(tmp_path, scenario, history_s=1800) as story, story.daemon() as daemon:
        await daemon.poll()
        bill = Bill(story)
        for _ in range(300 if SOAK else 40):
            story.clock.advance(30)
            await daemon.poll("queues")
            await tick_within_bound(story, daemon, bill)
