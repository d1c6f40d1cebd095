"""Kills and restarts: what is counted goes on, and nothing is lost or told twice. Rows R1 to R9 and R13."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance_stage import ENDS, HANG, ONLY_HOOK, Failpoint, Stage, play, queue, routes, rule, story_of, t, written
from triggerdev_alerts.book import Changes, LetterStatus
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.outbox.courier import AT_ONCE, GRACE


async def away(stage: Stage, killed: str, restarted: str) -> None:
    """SIGKILL at one instant, a new process at the other."""
    await stage.until(killed)
    await stage.kill()
    await stage.until(restarted)
    await stage.start()


async def test_r1_killed_while_pending_and_back_within_the_interval(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS) as stage:
        await away(stage, "12:01:10", "12:01:40")
        await stage.until("14:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing", "12:21:00 resolved"]
        assert stage.hook.told == ["12:02:30 firing", "12:22:30 resolved"]
        assert stage.hook.n == 2


async def test_r2_only_observed_time_counts_after_ten_minutes_away(tmp_path: Path) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:30:30", 5)))
    async with play(tmp_path, story) as stage:
        await away(stage, "12:01:10", "12:11:10")
        await stage.until("14:00:00")
        assert stage.changes == ["12:00:00 pending", "12:13:00 firing", "12:31:00 resolved"]
        assert stage.hook.told == ["12:13:30 firing", "12:33:30 resolved"]
        assert stage.hook.n == 2


async def test_r3_after_more_than_an_hour_pending_begins_anew(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20)))) as stage:
        await away(stage, "12:01:10", "13:05:10")
        await stage.until("13:06:30")
        (alert,) = stage.book.alerts.values()
        assert (alert.active_at, alert.credit) == (t("13:06:00"), 0)
        await stage.until("14:00:00")
        assert stage.changes == ["12:00:00 pending", "13:08:00 firing"]
        assert stage.hook.n == 1


async def test_r4_killed_while_firing_nobody_hears_of_it(tmp_path: Path) -> None:
    async with play(tmp_path, story_of(queues=queue(("12:00:00", 20)))) as stage:
        await away(stage, "12:10:10", "12:10:40")
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing"]
        assert stage.hook.told == ["12:02:30 firing"]
        assert stage.hook.req == stage.hook.n == 1
        assert stage.slack_told() == ["12:02:30 chat.postMessage"]


async def test_r5_cleared_while_nobody_looked(tmp_path: Path) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:12:00", 5)))
    async with play(tmp_path, story) as stage:
        await away(stage, "12:10:10", "12:20:10")
        await stage.until("13:00:00")
        assert stage.changes == ["12:00:00 pending", "12:02:00 firing", "12:21:00 resolved"]
        assert stage.hook.told == ["12:02:30 firing", "12:22:30 resolved"]
        assert stage.hook.n == 2


@pytest.mark.parametrize(
    ("restarted", "resolved"), [("12:13:40", "12:15:00"), ("12:23:10", "12:26:00")], ids=["30 s", "10 min"]
)
async def test_r6_what_is_left_of_keep_firing_for_is_waited_for(tmp_path: Path, restarted: str, resolved: str) -> None:
    story = story_of(queues=queue(("12:00:00", 20), ("12:09:30", 5)))
    async with play(tmp_path, story, written(rule(keep_firing_for="5m"))) as stage:
        await away(stage, "12:13:10", restarted)
        (alert,) = stage.book.alerts.values()
        assert alert.recovered == 180_000
        await stage.until("13:00:00")
        # Two minutes more of looking at it: after ten minutes away, the first look only begins to count.
        assert stage.changes[2:] == ["12:10:00 recovering", f"{resolved} resolved"]
        assert stage.hook.n == 2


def dies(when: str, status: LetterStatus) -> Failpoint:
    """A kill around the commit in which a letter gets to be `status`."""
    return lambda changes: when if any(one.status is status for one in changes.letters.values()) else None


async def test_r7_killed_between_the_answer_and_the_mark(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS, written(routes=ONLY_HOOK)) as stage:
        stage.disk.failpoint = dies("before", LetterStatus.SENT)
        await stage.until("12:02:40")
        assert stage.hook.req == 1
        await stage.start()
        await stage.until("12:03:10")
        assert stage.hook.req == 2
        first, second = stage.hook.got
        assert (first.id, first.text) == (second.id, second.text)
        assert stage.hook.n == 1
        await stage.until("14:00:00")
        assert stage.hook.told == ["12:02:30 firing", "12:22:30 resolved"]
        assert (stage.hook.n, stage.hook.req) == (2, 3)


async def test_r8_killed_after_the_commit_and_before_sending(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS, written(routes=ONLY_HOOK)) as stage:
        stage.disk.failpoint = dies("after", LetterStatus.QUEUED)
        await stage.until("12:02:40")
        assert stage.hook.req == 0
        await stage.start()
        await stage.until("12:20:00")
        assert stage.hook.told == ["12:02:40 firing"]
        assert (stage.hook.n, stage.hook.req) == (1, 1)


async def test_r9_killed_before_the_commit(tmp_path: Path) -> None:
    async with play(tmp_path, ENDS, written(routes=ONLY_HOOK)) as stage:
        stage.disk.failpoint = dies("before", LetterStatus.QUEUED)
        await stage.until("12:02:40")
        assert stage.hook.req == 0
        await stage.start()
        assert await stage.letters() == []
        await stage.until("12:20:00")
        # The group is as it was: it was due, and speaks at once.
        assert stage.hook.told == ["12:02:40 firing"]
        assert (stage.hook.n, stage.hook.req) == (1, 1)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_r9_killed_around_the_tick_that_fires(tmp_path: Path, when: str) -> None:
    def at_the_tick(changes: Changes) -> str | None:
        return when if stage.clock.now() == t("12:02:00") else None

    async with play(tmp_path, ENDS, written(routes=ONLY_HOOK)) as stage:
        stage.disk.failpoint = at_the_tick
        await stage.until("12:02:10")
        await stage.start()
        await stage.until("12:20:00")
        assert stage.hook.n == stage.hook.req == 1
        # Before: that tick never was. Two minutes between looks are no observation, so the third one fires.
        assert stage.hook.told == ["12:04:30 firing" if when == "before" else "12:02:30 firing"]


def twenty() -> Story:
    names = [f"queue-{number:02}" for number in range(20)]
    return story_of(queues=tuple(sight for name in names for sight in queue(("12:00:00", 20), name=name)))


async def test_r13_a_clean_end_with_a_receiver_that_hangs(tmp_path: Path) -> None:
    text = written(routes=routes(children="[]", group_by="[queue]"))
    async with play(tmp_path, twenty(), text) as stage:
        stage.hook.answer = lambda at: HANG
        await stage.only_begin("12:02:30")
        await stage.hook.has(AT_ONCE)
        # The grace that the daemon gives, and a second for whoever does not let itself be cancelled.
        assert GRACE + 1.0 <= 12.0
        await stage.stop(grace=0.05)

        stage.hook.answer = lambda at: 200
        await stage.until("12:03:40")
        await stage.start()
        letters = stage.book.letters.values()
        assert len(letters) == 20
        assert {letter.status for letter in letters} == {LetterStatus.QUEUED, LetterStatus.SENDING}
        under_way = {letter.id for letter in letters if letter.status is LetterStatus.SENDING}
        await stage.until("12:04:00")
        assert stage.hook.n == 20
        assert stage.hook.req == 20 + len(under_way)
        twice = {got.id for got in stage.hook.got[:AT_ONCE]}
        assert twice == under_way
        assert [letter.status for letter in await stage.letters()] == [LetterStatus.SENT] * 20
