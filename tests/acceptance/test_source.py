"""A source that is down, slow, late, empty or strange: nothing begins and nothing ends by it. Rows A1 to A9.

From A5 on a simulated server is watched by our own collectors, and the ledger answers the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acceptance_stage import (
    SOURCE_UNREACHABLE,
    Stage,
    outage,
    play,
    queue,
    rule,
    shown,
    story_of,
    t,
    written,
)
from story import KEY
from triggerdev_alerts.history.story import QueueSight, Story
from triggerdev_alerts.instants import SECOND
from triggerdev_exporter.simulator import trigger_views
from triggerdev_exporter.simulator.spellings import SPELLINGS, Spelling
from watched_stage import Watched, watch

WITH_META = written(rule(), SOURCE_UNREACHABLE)


def down(*sights: QueueSight, start: str = "12:10:00", end: str = "13:10:00", **more: Any) -> Story:
    return story_of(queues=sights, outages=(outage(start, end, **more),))


def messages(stage: Stage) -> list[str]:
    """What W was told: when, what, about which alert."""
    return [
        f"{shown(got.at)} {got.body['status']} {alert['labels']['alertname']}"
        for got in stage.hook.taken
        for alert in got.body["alerts"]
    ]


async def test_a1_the_api_is_down_for_an_hour(tmp_path: Path) -> None:
    async with play(tmp_path, down(*queue(("12:00:00", 20))), WITH_META) as stage:
        await stage.until("12:09:30")
        assert messages(stage) == ["12:02:30 firing Backlog"]
        await stage.until("14:00:00")
        assert messages(stage)[1:] == ["12:12:30 firing SourceUnreachable", "13:12:30 resolved SourceUnreachable"]
        assert stage.hook.n == 1 + 2
        assert "12:12:00 firing" in stage.changes


async def test_a1_what_is_held_says_since_when(tmp_path: Path) -> None:
    async with play(tmp_path, down(*queue(("12:00:00", 20))), WITH_META) as stage:
        await stage.until("13:05:00")
        held = next(alert for alert in stage.book.alerts.values() if alert.label("alertname") == "Backlog")
        assert (held.state, held.stale_since, held.stale_reason) == ("firing", t("12:10:00"), "failing")


async def test_a2_the_condition_cleared_meanwhile(tmp_path: Path) -> None:
    async with play(tmp_path, down(*queue(("12:00:00", 20), ("12:30:00", 5))), WITH_META) as stage:
        await stage.until("14:00:00")
        assert messages(stage) == [
            "12:02:30 firing Backlog",
            "12:12:30 firing SourceUnreachable",
            "13:12:30 resolved Backlog",
            "13:12:30 resolved SourceUnreachable",
        ]


async def test_a4_the_api_is_down_while_an_alert_is_pending(tmp_path: Path) -> None:
    story = down(*queue(("12:00:00", 20)), start="12:01:30", end="12:10:00")
    async with play(tmp_path, story) as stage:
        await stage.until("12:09:30")
        (alert,) = stage.book.alerts.values()
        assert (alert.state, alert.credit) == ("pending", 60_000)
        await stage.until("12:20:00")
        # From 12:10 on it is read again, and one minute was left.
        assert stage.changes == ["12:00:00 pending", "12:11:00 firing"]
        assert stage.hook.told == ["12:11:30 firing"]


COUNTED = "{alert: Failing, when: {failure_count: {window: 10m, above: 340}}, for: 0s}"
FEWER = "{alert: FewerFail, when: {failure_count: {window: 10m, above: 100}}, for: 0s}"


async def fail_many(watched: Watched) -> None:
    """350 runs between two looks: four pages."""
    await watched.stage.until("11:59:01")
    for number in range(350):
        at = t("11:59:05") + number * 100
        watched.story.world.add_run(task="send-email", status="FAILED", created_at=at)


async def test_a5_a_page_in_the_middle_fails(tmp_path: Path) -> None:
    async with watch(tmp_path, written(rule(), COUNTED, FEWER)) as watched:
        stage, faults = watched.stage, watched.story.faults
        watched.story.world.add_queue("emails", extra_queued=5)
        await fail_many(watched)
        before = {name: stage.outcomes(name) for name in ("Backlog", "Failing", "FewerFail")}
        # Three pages are read, and from then on the endpoint answers 500.
        faults.on("runs", latency_s=1.0)
        watched.story.world.at(t("12:00:00") + 2_500, lambda: faults.on("runs", status=500))
        await stage.until("12:03:30")
        assert watched.daemon.value("collector_up", collector="runs") == 0
        assert 100 <= watched.daemon.total("runs_finished_total") < 350
        for name in ("Failing", "FewerFail"):
            # Not even those that were read are enough, though they would be: what is read in part is no number.
            assert stage.outcomes(name).get("error", 0) - before[name].get("error", 0) == 4
            assert stage.outcomes(name).get("true", 0) == 0
        # Two queues by now: that of the task itself is the other.
        assert stage.outcomes("Backlog")["false"] - before["Backlog"].get("false", 0) == 2 * 4
        assert "error" not in stage.outcomes("Backlog")
        assert stage.hook.n == 0

        faults.clear()
        await stage.until("12:05:00")
        assert messages(stage) == ["12:04:30 firing Failing", "12:04:30 firing FewerFail"]


async def test_a5_queue_rules_fire_meanwhile(tmp_path: Path) -> None:
    async with watch(tmp_path, written(rule(), COUNTED)) as watched:
        await fail_many(watched)
        watched.story.faults.on("runs", status=500)
        watched.story.world.add_queue("emails", extra_queued=20)
        await watched.stage.until("12:04:00")
        assert messages(watched.stage) == ["12:02:30 firing Backlog"]


async def test_a6_the_key_is_revoked(tmp_path: Path) -> None:
    auth = "{alert: AuthFailing, when: {source_down: {reason: auth, older_than: 1m}}, for: 0s}"
    async with watch(tmp_path, written(rule(), SOURCE_UNREACHABLE, auth)) as watched:
        stage = watched.stage
        watched.story.world.add_queue("emails", extra_queued=20)
        await stage.until("11:59:30")
        assert messages(stage) == ["11:52:30 firing Backlog"]
        usual = len(watched.story.simulator.requests)
        watched.story.faults.revoked.add(KEY)
        await stage.until("13:00:00")
        # The last good look was at 11:59, and three intervals of a collector are 90 s.
        assert messages(stage)[1:] == ["12:00:30 firing AuthFailing", "12:01:30 firing SourceUnreachable"]
        alerts = {alert.label("alertname"): alert for alert in stage.book.alerts.values()}
        assert (alerts["Backlog"].state, alerts["Backlog"].stale_reason) == ("firing", "auth")
        # Six collectors that look every minute ask less than once a minute by now.
        refused = len(watched.story.simulator.requests) - usual
        assert refused < 60 < usual * 6
        assert watched.daemon.value("up") == 0


RULE_FAILING = "{alert: RuleEvaluationFailing, when: {rule_failing: {older_than: 10m}}, for: 0s}"


async def test_a7_everything_is_empty_all_at_once(tmp_path: Path) -> None:
    async with watch(tmp_path, written(rule(), SOURCE_UNREACHABLE, RULE_FAILING)) as watched:
        stage, world = watched.stage, watched.story.world
        names = [f"queue-{number}" for number in range(5)]
        for name in names:
            world.add_queue(name, extra_queued=20)
        await stage.until("11:59:30")
        assert stage.changes.count("11:52:00 firing") == 5
        told = stage.hook.n

        kept, world.queues = world.queues, {}
        watched.story.faults.view_empty = True
        await stage.until("12:30:00")
        firing = [alert for alert in stage.book.alerts.values() if alert.label("alertname") == "Backlog"]
        assert [alert.state for alert in firing] == ["firing"] * 5
        assert not any("resolved" in change for change in stage.changes)
        assert messages(stage)[-1].endswith("firing RuleEvaluationFailing")
        assert stage.hook.n == told + 1

        world.queues = kept
        watched.story.faults.clear()
        await stage.until("13:00:00")
        assert messages(stage)[-1].endswith("resolved RuleEvaluationFailing")
        assert stage.hook.n == told + 2
        assert [alert.stale_since for alert in stage.book.alerts.values()] == [0] * 5


ONE_FAILS = "{alert: Failing, when: {failure_count: {window: 10m, above: 0}}, for: 0s}"


async def test_a8_a_run_that_appears_three_minutes_late(tmp_path: Path) -> None:
    async with watch(tmp_path, written(ONE_FAILS)) as watched:
        stage = watched.stage
        await stage.until("11:59:30")
        watched.story.world.add_run(
            task="send-email",
            status="FAILED",
            created_at=t("12:00:00"),
            started_at=t("12:00:01"),
            finished_at=t("12:00:10"),
            visible_at=t("12:03:00"),
        )
        values = []
        for minute in range(13):
            await stage.until(f"12:{minute:02}:01")
            values.append([alert.value for alert in stage.book.alerts.values()])
        # Windows end 30 s before the evaluation: the one of 12:10 begins at 11:59:30, the next one is behind the end.
        assert values == [[]] * 3 + [[1.0]] * 8 + [[]] * 2
        assert stage.changes == ["12:03:00 firing", "12:11:00 resolved"]
        assert watched.daemon.value("runs_finished_total", task="send-email", status="FAILED") == 1


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is newer than we are: another status, fields that nobody knows, null where nothing was."""
    monkeypatch.setitem(SPELLINGS, "HIBERNATING", Spelling(*("HIBERNATING",) * 4))
    common = trigger_views._common

    def more(*given: Any, **named: Any) -> dict[str, Any]:
        told = common(*given, **named)
        nulls = {name: told.get(name) for name in ("startedAt", "finishedAt", "delayedUntil", "expiredAt", "ttl")}
        return {**told, **nulls, "mood": {"of": ["the", "server"]}, "isSleeping": None}

    monkeypatch.setattr(trigger_views, "_common", more)


@pytest.mark.usefixtures("strange")
async def test_a9_a_status_and_fields_that_nobody_knows(tmp_path: Path) -> None:
    async with watch(tmp_path, written(ONE_FAILS, rule())) as watched:
        stage, world = watched.stage, watched.story.world
        await stage.until("11:58:30")
        id = world.add_run(task="sleepy", status="EXECUTING", created_at=t("11:58:30"))
        world.add_run(task="send-email", status="FAILED", created_at=t("11:58:40"), finished_at=t("11:58:50"))
        world.advance(t("11:58:30") + SECOND)
        world.change(world.runs[id.removeprefix("run_")], "HIBERNATING")
        await stage.until("12:05:00")
        assert watched.daemon.value("runs_open", task="sleepy", status="UNKNOWN") == 1
        assert {watched.daemon.value("collector_up", collector=name) for name in ("runs", "queues")} == {1}
        assert messages(stage) == ["12:00:30 firing Failing"]
        (alert,) = stage.book.alerts.values()
        assert (alert.label("task"), alert.value) == ("send-email", 1.0)
        assert "error" not in stage.outcomes("Failing")
