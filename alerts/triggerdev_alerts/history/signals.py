"""Signals out of a story, by brute force straight from the definitions: slow, simple, the oracle for whoever is fast.

Every question looks through the whole story. What a target cannot know at an instant is decided here; what the answer
is otherwise, in `run_signals`, `slot_signals` and `thing_signals`, a function a row of `signals.SIGNALS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from triggerdev_alerts.history import run_signals, slot_signals, source_signals, thing_signals
from triggerdev_alerts.history.source_signals import outage_at
from triggerdev_alerts.history.story import Story, TargetStory
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import SIGNALS, Answer, Blind, Question, Readings, Unknown, aligned

Compute = Callable[[Story, TargetStory, Question, Instant], Readings | Unknown]

ANSWERS: dict[str, Compute] = {
    "runs_finished": run_signals.finished,
    "runs_triggered": run_signals.triggered,
    "run_cost": run_signals.cost,
    "run_duration": run_signals.duration,
    "run_wait": run_signals.wait,
    "batch_items": thing_signals.batch_items,
    "batch_items_failed": thing_signals.batch_items_failed,
    "consecutive_failures": run_signals.consecutive_failures,
    "scheduled_tasks": slot_signals.scheduled_tasks,
    "last_success_age": run_signals.last_success_age,
    "runs_open_older": run_signals.open_older,
    "runs_slow": run_signals.slow,
    "queue_depth": thing_signals.queue_depth,
    "queue_running": thing_signals.queue_running,
    "queue_limit": thing_signals.queue_limit,
    "queue_paused": thing_signals.queue_paused,
    "queue_oldest_age": run_signals.queue_oldest_age,
    "batches_open_older": thing_signals.batches_open_older,
    "missed_slots": slot_signals.missed_slots,
    "schedules_missing": slot_signals.schedules_missing,
    "deployment_failed": thing_signals.deployment_failed,
    "deployments_open_older": thing_signals.deployments_open_older,
    "waitpoints_open_older": thing_signals.waitpoints_open_older,
    "view_lag": source_signals.view_lag,
    "collector_age": source_signals.collector_age,
    "collector_interval": source_signals.collector_interval,
    "quota_remaining": source_signals.quota_remaining,
    "clock_skew": source_signals.clock_skew,
}
"""Every row of `SIGNALS`; a test tells which is missing."""


class StorySignals:
    """`signals.Signals` over a story. What can be seen is what could be seen at `look`, or at the question's instant.

    The two differ because windowed questions are asked for a little earlier than now.
    """

    def __init__(self, story: Story) -> None:
        self._story = story
        self._looked: Instant | None = None

    def look(self, now: Instant) -> None:
        """All collectors have looked at `now`: what was visible by then is known, or what failed then is not."""
        self._looked = now

    def targets(self) -> tuple[str, ...]:
        return tuple(target.name for target in self._story.targets)

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        """The answer as of `at`, out of what can be seen; `Unknown` where the look at it fails."""
        told = self._story.target(target)
        if told is None:
            return Unknown(Blind.STARTING, f"the story knows no target {target}")
        seen = at if self._looked is None else max(at, self._looked)
        blind = _blindness(told, question, at, seen)
        if blind is not None:
            return blind
        visible = replace(told, runs=tuple(run for run in told.runs if run.is_visible(seen)))
        return ANSWERS[question.signal](self._story, visible, question, at)


def _blindness(target: TargetStory, question: Question, at: Instant, seen: Instant) -> Unknown | None:
    row = SIGNALS[question.signal]
    untold = dict(target.untold).get(row.name)
    if untold is not None:
        return Unknown(Blind.NOT_RECORDED, untold)
    if row.name == "runs_open_older" and (lost := set(question.statuses) & set(target.untold_statuses)):
        return Unknown(Blind.NOT_RECORDED, f"nothing tells when a run was {' or '.join(sorted(lost))}")
    if not row.source:
        return None
    outage = outage_at(target, row.source, seen)
    if outage is not None:
        return Unknown(outage.reason, outage.text)
    if row.windowed and question.window is not None and target.known_since is not None:
        begins = aligned(at - question.ago, question.window) - question.window
        if begins < target.known_since:
            return Unknown(Blind.UNFILLED, "the story begins within the window")
    return None
