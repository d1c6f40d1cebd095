"""Missed slots: the watcher's verdicts beside the reference's, and what only the watcher knows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from readings_stage import compare
from story import Daemon, Story, tell
from triggerdev_alerts.signals import Answer, Question, Readings, Where
from triggerdev_exporter.clock import MINUTE, SECOND
from triggerdev_exporter.readings.signals import LedgerSignals

MISSED = Question("missed_slots", ("schedule",), grace=5 * MINUTE, early=MINUTE)
ALL = [
    Question("missed_slots", by, where, grace=grace, early=MINUTE)
    for by in (("task",), ("schedule", "task"), ("schedule",))
    for where in (Where(), Where(task=("p*",)))
    for grace in (MINUTE, 5 * MINUTE, 12 * MINUTE)
] + [Question("schedules_missing"), *(Question("scheduled_tasks", by) for by in ((), ("task",)))]


def read(daemon: Daemon, question: Question = MISSED) -> Answer:
    return LedgerSignals(daemon.targets).read(question, "prod", daemon.clock.now())


def differences(story: Story, daemon: Daemon) -> list[object]:
    story.world.advance(story.clock.now())
    return list(compare(daemon.target, story.world, ALL, [daemon.target.server_now()]))


async def test_a_schedule_that_stops_and_goes_on(tmp_path: Path) -> None:
    async with tell(tmp_path, start=1_795_458_615_000) as story:
        story.world.add_deployment(tasks=("poll", "well", "print"))
        broken = story.world.add_schedule(task="poll", cron="*/2 * * * *")
        story.world.add_schedule(task="well", cron="*/5 * * * *")
        story.world.add_schedule(task="print", cron="0 3 * * *")
        async with story.daemon() as daemon:
            await daemon.poll_due()
            assert differences(story, daemon) == []
            for _ in range(3):
                await story.let(daemon, 300)
                await daemon.poll()
                assert differences(story, daemon) == []
            story.world.set_schedule(broken, broken=True)
            for _ in range(7):
                await story.let(daemon, 170)
                await daemon.poll("runs")
                assert differences(story, daemon) == []
        async with story.daemon() as daemon:
            await daemon.poll()
            assert differences(story, daemon) == []
            answer = read(daemon)
            assert isinstance(answer, Readings)
            assert answer.values[broken,] >= 7
            story.world.set_schedule(broken, broken=False)
            for _ in range(4):
                await story.let(daemon, 170)
                await daemon.poll("runs")
                assert differences(story, daemon) == []
            answer = read(daemon)
            assert isinstance(answer, Readings)
            assert answer.values[broken,] == 0


async def test_schedules_of_one_task_share_its_runs_those_in_the_code_first(tmp_path: Path) -> None:
    async with tell(tmp_path, start=1_795_458_615_000) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        story.world.add_schedule(task="poll", cron="*/10 * * * *")
        made = story.world.add_schedule(task="poll", cron="*/10 * * * *", type="IMPERATIVE")
        story.world.set_schedule(made, broken=True)
        await daemon.poll_due()
        for _ in range(6):
            await story.let(daemon, 290)
            await daemon.poll("runs")
            assert differences(story, daemon) == []
        answer = read(daemon)
        assert isinstance(answer, Readings)
        assert answer.values[made,] >= 2


@pytest.mark.parametrize("away", [600, 20])
async def test_no_verdict_on_slots_that_nobody_could_see_met(tmp_path: Path, away: int) -> None:
    async with tell(tmp_path, start=1_795_458_615_000) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron="*/10 * * * *", automatic=False)
        await daemon.poll()
        story.faults.view_status = 500
        await story.let(daemon, 500, step=20)
        await story.let(daemon, away, step=20)
        story.faults.clear()
        await story.let(daemon, 320, step=20)
        answer = read(daemon)
        assert isinstance(answer, Readings)
        assert (schedule,) not in answer.values, "blind is no reason to blame"
        assert daemon.value("schedule_missed_total", task="poll", type="DECLARATIVE") in (0, 1, 2)
        await story.let(daemon, 1_500 + SECOND / MINUTE, step=20)
        answer = read(daemon)
        assert isinstance(answer, Readings)
        assert answer.values[schedule,] >= 1, "and later ones are judged again"


async def test_a_late_run_undoes_the_verdict(tmp_path: Path) -> None:
    async with tell(tmp_path, start=1_795_458_615_000) as story, story.daemon() as daemon:
        story.world.add_deployment(tasks=("poll",))
        schedule = story.world.add_schedule(task="poll", cron="*/10 * * * *", automatic=False)
        await daemon.poll()
        slot = (story.clock.now() // (10 * MINUTE) + 1) * 10 * MINUTE
        story.world.add_run(
            task="poll", status="COMPLETED", created_at=slot, visible_at=slot + 9 * MINUTE, kind="SCHEDULED"
        )
        await story.let(daemon, (slot - story.clock.now()) / SECOND + 8 * 60, step=30)
        assert read(daemon) == Readings({(schedule,): 1.0})
        # The list is read anew from further back: by the hourly sweep, if not before.
        daemon.target.ledger.facts["coverage"][""] = _with_overlap(daemon)  # type: ignore[union-attr,index]
        await story.let(daemon, 90, step=30)
        assert read(daemon) == Readings({(schedule,): 0.0})


def _with_overlap(daemon: Daemon) -> object:
    ledger = daemon.target.ledger
    assert ledger is not None
    return msgspec.structs.replace(ledger.coverage, overlap=20 * MINUTE)
