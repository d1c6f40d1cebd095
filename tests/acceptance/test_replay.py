"""A live session that was recorded says the same again: the same transitions, the same notifications. Row E1."""

from __future__ import annotations

from pathlib import Path

from acceptance_stage import (
    SOURCE_UNREACHABLE,
    Stage,
    outage,
    play,
    queue,
    routes,
    rule,
    runs,
    story_of,
    written,
)
from triggerdev_alerts.history.recording import RecordedSignals, Recorder
from triggerdev_alerts.history.replay import replay_recording
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.witness import StoryWitness
from triggerdev_alerts.signals import Blind

FLAPS = queue(*((f"12:{minute:02}:00", 20 if minute % 2 == 0 else 5) for minute in range(30)), name="flaps")
GOES = queue(("12:00:00", 20), ("12:40:30", -1), name="goes")
STAYS = queue(("12:03:00", 40), ("13:50:30", 5))
STORY = story_of(
    queues=(*FLAPS, *GOES, *STAYS),
    runs=tuple(run for n in range(9) for run in runs(f"task-{n}", f"12:0{n}:10", failed=3, error=("Oops", f"no {n}"))),
    outages=(
        outage("12:10:00", "12:20:00"),
        outage("13:00:00", "13:30:00", collectors=("queues",), reason=Blind.AUTH, text="401"),
    ),
)
RULES = written(
    rule(for_="0s", flapping="{changes: 6, window: 1h, stable: 15m}"),
    rule(alert="Deeper", when="{queue_depth: {above: 30}}", keep_firing_for="5m", severity="critical"),
    "{alert: Failing, when: {failure_count: {window: 10m, above: 2}}, for: 1m, keep_firing_for: 3m}",
    SOURCE_UNREACHABLE,
    routes=routes(group_by="[alertname, queue]"),
    more="inhibit: [{source: {alertname: Deeper}, target: {alertname: Backlog}, equal: [queue]}]\n",
)


async def test_e1_a_recorded_session_is_replayed_exactly(tmp_path: Path) -> None:
    lines: list[str] = []
    signals, witness = StorySignals(STORY), StoryWitness(STORY)
    recorder = Recorder(signals, witness, lines.append)
    async with play(tmp_path, STORY, RULES, signals=recorder, witness=recorder) as stage:

        def before_step(now: int) -> None:
            signals.look(now)
            recorder.stepping(now, stage.clock.monotonic())

        stage.before_step = before_step
        await stage.until("14:30:00")
        assert_rich(stage)

        replayed = await replay_recording(stage.engine.ruleset, RecordedSignals(lines))
        assert list(replayed.course.transitions) == stage.transitions
        assert list(replayed.course.notifications) == stage.notifications
        assert stage.hook.n == len([one for one in stage.notifications if one.receiver == "W"])
        assert stage.hook.n + len(stage.slack_told()) == len(stage.notifications)


def assert_rich(stage: Stage) -> None:
    """The session holds what can go differently."""
    assert {change.split(" ")[1] for change in stage.changes} >= {"pending", "firing", "recovering", "resolved"}
    assert any(change.endswith("entity_gone") for change in stage.changes)
    assert {one.kind.value for one in stage.notifications} == {"firing", "flapping", "resolved"}
    assert any(alert.evidence.errors for one in stage.notifications for alert in one.alerts)
