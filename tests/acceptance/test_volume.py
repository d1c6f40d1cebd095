"""Many alerts, silences, inhibitions, reloads and hostile texts. Rows V1 and V3 to V8."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acceptance_stage import DEEP, Stage, play, queue, routes, rule, runs, shown, story_of, t, written
from notify_stage import silence
from slack_limits import blocks_of, problems
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.history.story import Story
from triggerdev_alerts.instants import MINUTE

FAILING = "{alert: Failing, when: {failure_count: {window: 30m, above: 0}}, for: 0s}"


def failing_tasks(*when: tuple[str, range]) -> Story:
    return story_of(
        runs=tuple(run for at, numbers in when for n in numbers for run in runs(f"task-{n:03}", at, failed=1))
    )


async def test_v1_a_hundred_tasks_fail_at_once(tmp_path: Path) -> None:
    # Windows end 30 s before an evaluation: these fire at 12:00 and at 12:03.
    story = failing_tasks(("11:59:10", range(100)), ("12:02:10", range(100, 101)))
    text = written(FAILING, routes=routes(group_by="[alertname, target]"))
    async with play(tmp_path, story, text) as stage:
        await stage.until("12:05:00")
        assert stage.hook.told == ["12:00:30 firing"]
        assert len(stage.hook.got[0].body["alerts"]) == 100
        assert stage.slack_told() == ["12:00:30 chat.postMessage"]
        (message,) = stage.slack.messages.values()
        listed = json.dumps(message)
        assert sum(f"task-{n:03}" in listed for n in range(100)) == 10
        assert "90 more" in listed
        assert len(blocks_of(message)) <= 50
        assert stage.slack.broken == []

        await stage.until("12:20:00")
        assert stage.hook.told == ["12:00:30 firing", "12:05:30 firing"]
        assert stage.slack_told() == ["12:00:30 chat.postMessage", "12:05:30 chat.update"]
        assert stage.slack.broken == []


async def silenced(stage: Stage, text: str, duration: int) -> None:
    now = stage.clock.now()
    await stage.scribe.write(lambda draft: silence(draft, text, now, duration))
    stage.poke()


async def test_v3_what_fires_at_the_end_of_a_silence_is_told(tmp_path: Path) -> None:
    async with play(tmp_path, DEEP) as stage:
        await stage.until("12:10:00")
        await silenced(stage, "alertname=Backlog", 20 * MINUTE)
        await stage.until("14:00:00")
        # 12:32:30 is the group's first instant after 12:30.
        assert stage.hook.told == ["12:02:30 firing", "12:32:30 firing"]
        assert stage.hook.got[1].body["why"] == "mute ended"


async def test_v4_source_and_target_of_an_inhibition_start_at_once(tmp_path: Path) -> None:
    page = rule(alert="Page", severity="critical", when="{queue_depth: {above: 15}}")
    inhibit = "inhibit: [{source: {severity: critical}, target: {severity: warning}, equal: [queue]}]\n"
    story = story_of(queues=queue(("12:00:00", 20), ("12:20:30", 5)))
    async with play(tmp_path, story, written(rule(), page, more=inhibit)) as stage:
        await stage.until("14:00:00")
        assert stage.changes.count("12:02:00 firing") == 2
        assert stage.hook.told == ["12:02:30 firing", "12:22:30 resolved"]
        names = {alert["labels"]["alertname"] for got in stage.hook.got for alert in got.body["alerts"]}
        assert names == {"Page"}


async def test_v5_continue_tells_both_once(tmp_path: Path) -> None:
    text = written(routes=routes(receiver="S", children="[{receiver: W, continue: true}, {receiver: F}]"))
    async with play(tmp_path, DEEP, text) as stage:
        await stage.until("13:00:00")
        assert stage.hook.told == ["12:02:30 firing"]
        assert stage.other.told == ["12:02:30 firing"]
        assert (stage.hook.req, stage.other.req) == (1, 1)
        assert stage.slack.calls == []


@pytest.mark.parametrize("at", ["12:02:10", "12:05:00"], ids=["before the first message", "after it"])
async def test_v6_a_reload_with_the_same_routes_says_nothing(tmp_path: Path, at: str) -> None:
    async with play(tmp_path, DEEP) as stage:
        await stage.until(at)
        told = stage.hook.req
        assert len(stage.book.groups) == 2
        before = dict(stage.book.groups)
        await stage.reload(written(rule(), rule(alert="Deeper", when="{queue_depth: {above: 999}}")))
        assert stage.book.groups == before
        await stage.until(shown(t(at) + 10_000))
        assert stage.hook.req == told
        await stage.until("13:00:00")
        assert stage.hook.told == ["12:02:30 firing"]


async def test_v7_a_reload_of_a_file_with_mistakes(tmp_path: Path) -> None:
    """The metric that says so is the daemon's: `end_to_end/test_bad_days.py`."""
    async with play(tmp_path, DEEP) as stage:
        await stage.until("12:05:00")
        before = stage.engine.ruleset
        with pytest.raises(RulesError):
            await stage.reload(written(rule(when="{queue_dept: {above: 10}}")))
        assert stage.engine.ruleset is before
        await stage.until("13:00:00")
        assert stage.hook.told == ["12:02:30 firing"]
        assert list(stage.book.alerts)


HOSTILE = "<!channel> &<b> ``` \u202e " + "x" * 50_000


async def test_v8_a_hostile_error_text(tmp_path: Path) -> None:
    story = story_of(runs=runs("send-email", "11:59:10", failed=3, error=("Error", HOSTILE)))
    annotated = FAILING[:-1] + ', annotations: {summary: "{{ task }}: {{ top_error }}"}}'
    async with play(tmp_path, story, written(annotated)) as stage:
        await stage.until("12:10:00")
        (message,) = stage.slack.messages.values()
        assert stage.slack.broken == []
        assert problems(message) == []
        seen = json.dumps(message, ensure_ascii=False)
        assert "<!channel>" not in seen
        assert "&lt;!channel&gt;" in seen
        assert "\u202e" not in seen
        (alert,) = stage.hook.got[0].body["alerts"]
        ((message_told, count),) = [(error["message"], error["count"]) for error in alert["evidence"]["errors"]]
        assert count == 3
        # As it is, but for its length.
        assert_beginning(message_told)
        assert_beginning(alert["annotations"]["summary"].removeprefix("send-email: Error "))


def assert_beginning(text: str) -> None:
    told = text.removesuffix("…")
    assert len(text) <= 4_000
    assert len(told) > 100
    assert HOSTILE.startswith(told)
