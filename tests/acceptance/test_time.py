"""Nights and days: mutes over the change to summer time and back, slots that start early, repeats. Rows T4 to T10."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance_stage import play, queue, routes, rule, story_of, t, written
from triggerdev_alerts.history.story import StoryRun, StorySchedule
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Instant, iso
from triggerdev_alerts.notify.withholding import Withholding

NIGHTS = 'time_intervals: {nights: [{times: "22:00-06:00", location: Europe/Berlin}]}\n'


def short(at: Instant) -> str:
    return iso(at)[:16] + "Z"


@pytest.mark.parametrize(
    ("begins", "ends", "hours"),
    [
        pytest.param("2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z", 9, id="an hour twice"),
        pytest.param("2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z", 7, id="an hour less"),
    ],
)
async def test_t4_a_night_with_a_change_of_the_clock(tmp_path: Path, begins: str, ends: str, hours: int) -> None:
    begin, end = t(begins), t(ends)
    assert end - begin == hours * HOUR
    before, within = iso(begin - MINUTE), iso(begin)
    story = story_of(queues=(*queue((before, 20), name="before"), *queue((within, 20), name="within")))
    timing = {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "1d"}
    mute = routes(children="[]", group_by="[queue]", mute="[nights]", **timing)
    text = written(rule(for_="0s"), routes=mute, more=NIGHTS)
    async with play(tmp_path, story, text, start=iso(begin - HOUR)) as stage:
        await stage.until(iso(end + 5 * MINUTE))
        told = [(short(got.at), got.body["group"]["labels"]["queue"]) for got in stage.hook.taken]
        # What still fires at the end of a mute is told then, also where it was known.
        assert told == [(short(begin - MINUTE), "before"), (short(end), "before"), (short(end), "within")]
        ruleset = stage.engine.ruleset
        assert ruleset.routes is not None
        muted = [
            at
            for at in range(begin - 12 * HOUR, begin + 12 * HOUR, MINUTE)
            if Withholding(ruleset, (), {}, at).is_muted(ruleset.routes)
        ]
        assert (muted[0], muted[-1] + MINUTE, len(muted)) == (begin, end, hours * 60)


async def test_t5_what_fired_in_the_night_is_told_in_the_morning(tmp_path: Path) -> None:
    """23:00 in Berlin is 21:00 in UTC in June."""
    story = story_of(queues=queue(("2026-06-01T21:00:00Z", 20)))
    text = written(rule(for_="0s"), routes=routes(children="[]", mute="[nights]"), more=NIGHTS)
    async with play(tmp_path, story, text, start="2026-06-01T20:30:00Z") as stage:
        await stage.until("2026-06-02T03:59:59Z")
        assert stage.changes == ["21:00:00 firing"]
        assert stage.hook.req == 0
        await stage.until("2026-06-02T06:00:00Z")
        # The mute ends at 04:00:00, and the group's instants are 21:00:30 and every five minutes from there.
        assert stage.hook.told == ["04:00:30 firing"]
        assert stage.hook.got[0].body["why"] == "mute ended"
        assert stage.hook.n == stage.hook.req == 1


async def test_t8_a_scheduled_run_that_started_early_is_not_missed(tmp_path: Path) -> None:
    slots = tuple(t("12:00:00") + number * 10 * MINUTE for number in range(3))

    def run(slot: Instant) -> StoryRun:
        """Created by its nominal time, started 28 seconds before it."""
        begun = slot - 28 * SECOND
        return StoryRun(
            id=f"run_{slot}", task="digest", status="COMPLETED", created=slot, started=begun, finished=begun + SECOND
        )

    schedule = StorySchedule(id="sched_1", task="digest", slots=slots, known_since=t("11:00:00"))
    text = written("{alert: Missed, when: {missed_schedule: {grace: 5m, early: 60s}}, for: 0s}")
    async with play(tmp_path, story_of(runs=tuple(map(run, slots)), schedules=(schedule,)), text) as stage:
        await stage.until("12:40:00")
        # Before the first slot is judged there is nothing to say.
        assert set(stage.outcomes("Missed")) == {"no_data", "false"}
        assert stage.changes == []
        assert stage.hook.n == 0


async def test_t8_without_its_run_the_slot_is_missed(tmp_path: Path) -> None:
    """So that the row above says something."""
    schedules = (
        StorySchedule(id="sched_1", task="digest", slots=(t("12:00:00"),), known_since=t("11:00:00")),
        StorySchedule(id="sched_2", task="other", slots=(t("11:30:00"),), known_since=t("11:00:00")),
    )
    runs = (StoryRun(id="run_1", task="other", status="COMPLETED", created=t("11:30:00")),)
    text = written("{alert: Missed, when: {missed_schedule: {grace: 5m, early: 60s}}, for: 0s}")
    async with play(tmp_path, story_of(runs=runs, schedules=schedules), text) as stage:
        await stage.until("12:40:00")
        assert stage.hook.n == 1


async def test_t10_a_message_is_repeated_after_exactly_its_interval(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20)))) as stage:
        await stage.until("16:10:00")
        assert stage.hook.told == ["12:02:30 firing", "16:02:30 firing"]
        assert stage.hook.got[1].body["why"] == "repeat interval elapsed"
