"""Schedules: which slots were met, which were missed, and when nobody can say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from story import Daemon, Story, difference, tell
from triggerdev_exporter.clock import HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.simulator.truth import missed as true_misses

SCHEDULES = ("schedules", "schedule_next_run", "schedule_missed")


def pass_time(story: Story, seconds: float) -> None:
    """Let the world live so long, too: what is scripted next happens then."""
    story.clock.advance(seconds)
    story.world.advance(story.clock.now())


def missed(daemon: Daemon, task: str = "poll", type: str = "DECLARATIVE") -> float | None:
    return daemon.value("schedule_missed_total", task=task, type=type)


def instant(text: str) -> Instant:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


async def test_a_schedule_that_stops_firing(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron="* * * * *")
        await daemon.poll_due()
        await story.let(daemon, 900)
        assert missed(daemon) == 0
        story.world.set_schedule(schedule, broken=True)
        broken_at = story.clock.now()
        await story.let(daemon, 290)
        assert missed(daemon) == 0, "five minutes of grace"
        await story.let(daemon, 1210)
        lost = missed(daemon)
        assert lost is not None
        assert 15 <= lost <= 25
        story.world.set_schedule(schedule, broken=False)
        await story.let(daemon, 900)
        assert difference(daemon.page(), story.truth(daemon), *SCHEDULES) == []
        last = daemon.value("schedule_last_run_timestamp_seconds", schedule=schedule)
        assert last is not None
        assert last * 1000 > broken_at


async def test_no_verdict_while_the_runs_cannot_be_read(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll", "well"))
        broken = story.world.add_schedule(task="poll", cron="* * * * *")
        story.world.add_schedule(task="well", cron="* * * * *")
        await daemon.poll_due()
        await story.let(daemon, 600)
        story.faults.view_status = 500
        story.world.set_schedule(broken, broken=True)
        await story.let(daemon, 3600, step=30)
        assert missed(daemon) == 0, "blind is no reason to blame"
        assert daemon.value("collector_up", collector="schedules") == 1
        story.faults.clear()
        await story.let(daemon, 630, step=30)
        lost = missed(daemon)
        assert lost is not None
        assert lost >= 60, "and then it is made up for"
        assert missed(daemon, "well") == 0
        await daemon.poll()
        assert difference(daemon.page(), story.truth(daemon), *SCHEDULES) == []


async def test_inactive_schedules_miss_nothing(tmp_path: Path) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        off = story.world.add_schedule(task="poll", cron="* * * * *", active=False)
        await daemon.poll_due()
        await story.let(daemon, 1200, step=30)
        assert missed(daemon) == 0
        assert daemon.value("schedules", task="poll", type="DECLARATIVE", active="false") == 1
        assert daemon.value("schedule_next_run_timestamp_seconds", schedule=off) is None, "it is not due"
        story.world.set_schedule(off, active=True)
        await story.let(daemon, 1200, step=30)
        assert missed(daemon) == 0
        assert daemon.value("schedules", task="poll", type="DECLARATIVE", active="true") == 1
        assert daemon.value("schedule_last_run_timestamp_seconds", schedule=off) is not None


@pytest.mark.parametrize("change", ["off", "cron", "deleted"])
async def test_a_schedule_that_changed_while_we_were_away_is_not_blamed(tmp_path: Path, change: str) -> None:
    async with tell(tmp_path) as story:
        story.world.add_deployment(tasks=("poll", "stays"))
        schedule = story.world.add_schedule(task="poll", cron="* * * * *")
        story.world.add_schedule(task="stays", cron="0 * * * *")
        async with story.daemon() as daemon:
            await daemon.poll_due()
            await story.let(daemon, 600)
        row = story.world.schedules[schedule]
        if change == "off":
            story.world.set_schedule(schedule, active=False)
        elif change == "cron":
            row.automatic, row.broken, row.cron = False, True, "30 3 * * *"
        else:
            story.world.delete_schedule(schedule)
        pass_time(story, 7200)
        async with story.daemon() as daemon:
            await story.let(daemon, 900)
            assert missed(daemon) in (0, None)
            assert missed(daemon, "stays") == 0


async def test_an_edit_begins_anew(tmp_path: Path) -> None:
    async with tell(tmp_path, start=instant("2026-11-23T18:30:30")) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron="0 * * * *", automatic=False)
        await daemon.poll_due()
        # The hour comes and goes: one is missed.
        await story.let(daemon, 2400, step=30)
        assert missed(daemon) == 1
        # Edited at 19:10, seen at 19:15:30: of the new slots, 19:30 and 19:45 count.
        story.world.schedules[schedule].cron = "*/15 * * * *"
        await story.let(daemon, 2700, step=30)
        assert missed(daemon) == 1 + 2
        assert daemon.total("schedule_info", cron="*/15 * * * *") == 1
        assert daemon.total("schedule_info") == 1


async def test_two_schedules_of_one_task_share_their_slots(tmp_path: Path) -> None:
    """The list does not say whose run it is: one run for two slots is one miss, the user-made schedule's."""
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        ours = story.world.add_schedule(task="poll", cron="*/5 * * * *", automatic=False)
        theirs = story.world.add_schedule(task="poll", cron="*/10 * * * *", type="IMPERATIVE", automatic=False)
        await daemon.poll_due()
        begun = story.clock.now()
        for slot in range(begun - begun % (5 * MINUTE) + 5 * MINUTE, begun + 40 * MINUTE, 5 * MINUTE):
            for schedule, every in ((ours, 5), (theirs, 10)):
                # From the twentieth minute on, the customer's does not fire.
                if slot % (every * MINUTE) == 0 and not (schedule == theirs and slot > begun + 20 * MINUTE):
                    story.world.add_run(
                        task="poll", kind="SCHEDULED", schedule_id=schedule, status="COMPLETED", created_at=slot
                    )
        await story.let(daemon, 3000, step=30)
        story.world.advance(story.clock.now())
        assert missed(daemon, type="IMPERATIVE") == true_count(story, theirs)
        assert missed(daemon, type="IMPERATIVE") > 0  # type: ignore[operator]
        assert missed(daemon) == true_count(story, ours)


def true_count(story: Story, schedule: str) -> int:
    """Slots of `schedule` that are past their grace and had no run."""
    """Slots of `schedule` that are past their grace at our last look and had no run."""
    row = story.world.schedules[schedule]
    return len(true_misses(story.world, row, row.created_at, story.clock.now()))


@pytest.mark.parametrize(("customers", "shown"), [(50, 50), (51, 0)])
async def test_schedules_of_many_customers_have_no_series_of_their_own(
    tmp_path: Path, customers: int, shown: int
) -> None:
    async with tell(tmp_path) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("bill",))
        for number in range(customers):
            story.world.add_schedule(task="bill", cron="0 3 * * *", type="IMPERATIVE", external_id=f"cust_{number}")
        story.world.add_schedule(task="digest", cron="0 4 * * *")
        await daemon.poll()
        assert daemon.value("schedules", task="bill", type="IMPERATIVE", active="true") == customers
        assert daemon.total("schedule_info", type="IMPERATIVE") == shown
        assert daemon.total("schedule_info", type="DECLARATIVE") == 1
        next_runs = [1 for name, _ in daemon.page() if name == "triggerdev_schedule_next_run_timestamp_seconds"]
        assert len(next_runs) == shown + 1
        assert missed(daemon, "bill", "IMPERATIVE") == 0


async def test_last_run_and_last_success(tmp_path: Path) -> None:
    async with tell(tmp_path, start=instant("2026-11-23T18:30:30")) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron="*/10 * * * *", automatic=False)
        await daemon.poll_due()
        for minute, status in ((40, "COMPLETED"), (50, "FAILED")):
            slot = instant(f"2026-11-23T18:{minute}:00")
            story.world.add_run(
                task="poll",
                kind="SCHEDULED",
                schedule_id=schedule,
                status=status,
                created_at=slot,
                visible_at=slot - 20 * SECOND,
                finished_at=slot + 10 * SECOND,
            )
        # A run that somebody triggered by hand at a slot of its own is no meeting of it.
        story.world.add_run(task="poll", status="COMPLETED", created_at=instant("2026-11-23T19:00:00"))
        await story.let(daemon, 2400, step=30)
        at = instant("2026-11-23T18:50:00") / 1000
        assert daemon.value("schedule_last_run_timestamp_seconds", schedule=schedule) == at
        assert daemon.value("schedule_last_success_timestamp_seconds", schedule=schedule) == at - 600
        assert missed(daemon) == 1


@pytest.mark.parametrize(
    ("start", "cron"),
    [
        pytest.param("2026-10-24T22:30:30", "30 1 * * *", id="autumn, the hour that comes twice"),
        pytest.param("2026-10-24T22:30:30", "*/30 * * * *", id="autumn, every half hour"),
        pytest.param("2026-10-24T22:30:30", "0 9 * * *", id="autumn, the morning after"),
        pytest.param("2027-03-27T22:30:30", "30 1 * * *", id="spring, the hour that never was"),
        pytest.param("2027-03-27T22:30:30", "*/30 * * * *", id="spring, every half hour"),
        pytest.param("2027-03-27T22:30:30", "0 9 * * *", id="spring, the morning after"),
    ],
)
async def test_a_night_when_the_clocks_change(tmp_path: Path, start: str, cron: str) -> None:
    async with tell(tmp_path, start=instant(start)) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron=cron, timezone="Europe/London")
        await daemon.poll_due()
        await story.let(daemon, 11.5 * HOUR / SECOND, step=600)
        await daemon.poll()
        assert len(story.world.schedules[schedule].run_keys) > 0
        assert missed(daemon) == 0
        assert difference(daemon.page(), story.truth(daemon), *SCHEDULES) == []


async def test_slots_of_our_own_absence_are_judged_right_afterwards(tmp_path: Path) -> None:
    async with tell(tmp_path) as story:
        story.world.add_deployment(tasks=("poll", "well"))
        schedule = story.world.add_schedule(task="poll", cron="* * * * *")
        story.world.add_schedule(task="well", cron="* * * * *")
        async with story.daemon() as daemon:
            await daemon.poll_due()
            await story.let(daemon, 600)
        pass_time(story, 1800)
        story.world.set_schedule(schedule, broken=True)
        pass_time(story, 3600)
        story.world.set_schedule(schedule, broken=False)
        pass_time(story, 1800)
        async with story.daemon() as daemon:
            await story.let(daemon, 900)
            await daemon.poll()
            lost = missed(daemon)
            assert lost is not None
            assert 58 <= lost <= 62
            assert missed(daemon, "well") == 0
            assert difference(daemon.page(), story.truth(daemon), *SCHEDULES) == []
