"""A long story told in chapters: at each instant only what can still matter. The answers are the same, and come sooner.

Brute force over a week of runs would look at each of them at every minute. A chapter leaves out what no question that
the rules ask can reach; a test compares both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.history.run_signals import TYPICAL_WINDOW
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.slot_signals import due_slots
from triggerdev_alerts.history.story import QueueSight, Story, StoryRun, StorySchedule, TargetStory
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, Instant
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.signals import FAILURES, SUCCESSES, Answer, Question

LENGTH = HOUR
KEPT_SLOTS = 20
"""Of each schedule before a chapter: more misses in a row than that are told as that many."""
WIDEST_GRACE = DAY
"""How far from its slot a run may be created, at most."""


def reach(ruleset: RuleSet) -> int:
    """How far back the windows of the rules reach, milliseconds: the one before included."""
    longest = HOUR
    for group in ruleset.groups:
        for rule in group.rules:
            for ask in CONDITIONS[rule.when.type].asks(rule.when):
                question = ask.question
                window = TYPICAL_WINDOW if question.signal == "runs_slow" else question.window or 0
                longest = max(longest, window + question.ago + group.query_delay + 2 * MINUTE)
    return longest


class ChapterSignals:
    """`signals.Signals` over a long story whose questions reach back `reach` milliseconds. Tell it of each look."""

    def __init__(self, story: Story, reach: int) -> None:
        self._story = story
        self._reach = reach
        self._end: Instant = story.start
        self._signals = StorySignals(replace(story, targets=()))

    def look(self, now: Instant) -> None:
        """All collectors have looked at `now`; never earlier than before."""
        if now >= self._end:
            self._end = now + LENGTH
            targets = tuple(_chapter(each, now, self._end, self._reach) for each in self._story.targets)
            self._signals = StorySignals(replace(self._story, targets=targets))
        self._signals.look(now)

    def targets(self) -> tuple[str, ...]:
        return tuple(target.name for target in self._story.targets)

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        return self._signals.read(question, target, at)


def _chapter(target: TargetStory, begin: Instant, end: Instant, reach: int) -> TargetStory:
    schedules = tuple(_schedule(each, begin, end) for each in target.schedules)
    slots: dict[str, Instant] = {}
    for schedule in schedules:
        slots[schedule.task] = min(slots.get(schedule.task, end), *schedule.slots, end)
    return replace(
        target,
        runs=tuple(_runs(target.runs, begin, end, reach, slots)),
        queues=tuple(_sights(target.queues, begin, end)),
        schedules=schedules,
    )


def _runs(
    runs: Iterable[StoryRun], begin: Instant, end: Instant, reach: int, slots: dict[str, Instant]
) -> Iterator[StoryRun]:
    successes: dict[tuple[str, bool], Instant] = defaultdict(lambda: -1)
    past = begin - reach
    for run in runs:
        if run.ending in SUCCESSES and run.ended(begin) and run.is_visible(begin):
            key = (run.task, run.is_test)
            successes[key] = max(successes[key], run.finished or 0)
    for run in runs:
        is_ahead = min(run.created, run.created if run.started is None else run.started) > end
        is_recent = run.finished is None or run.finished > past or not run.is_visible(past)
        # The last success of a task, and what failed since, count however old they are.
        is_last = run.ending in (*SUCCESSES, *FAILURES) and (run.finished or 0) >= successes[run.task, run.is_test]
        may_meet = run.task in slots and run.created >= slots[run.task] - WIDEST_GRACE
        if not is_ahead and (is_recent or is_last or may_meet):
            yield run


def _schedule(schedule: StorySchedule, begin: Instant, end: Instant) -> StorySchedule:
    slots = list(due_slots(schedule, end))
    before = [slot for slot in slots if slot <= begin - WIDEST_GRACE]
    kept = before[-KEPT_SLOTS:] + slots[len(before) :]
    known_since = schedule.known_since if len(before) <= KEPT_SLOTS else kept[0] - 1
    return replace(schedule, cron="", slots=tuple(kept), known_since=known_since)


def _sights(sights: Iterable[QueueSight], begin: Instant, end: Instant) -> Iterator[QueueSight]:
    latest: dict[str, QueueSight] = {}
    for sight in sights:
        if begin < sight.at <= end:
            yield sight
        elif sight.at <= begin and (sight.queue not in latest or latest[sight.queue].at <= sight.at):
            latest[sight.queue] = sight
    yield from latest.values()
