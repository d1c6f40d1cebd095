"""What a story says of schedules: which slots were met. Each function is one row of `signals.SIGNALS`.

A slot is met if a run of the schedule's task was created in [slot − early, slot + grace]; where several schedules of a
task share a slot they share its runs, those in the code first. It is judged once slot + grace has passed. A slot is not
judged at all if runs or schedules could not be read anywhere in that time, unless a run met it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from triggerdev_alerts.history.story import Story, StorySchedule, TargetStory
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.signals import Key, Question, Readings, Where

GRACE, EARLY = 5 * MINUTE, MINUTE
"""Where the question says nothing (`schedules_missing`)."""


def scheduled_tasks(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    tasks = {one.task for one in _active(target, question.where, at)}
    return Readings({_key(question, "", task): 1.0 for task in tasks})


def missed_slots(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    """0 for a schedule whose latest slot was met; absent before its first verdict. The worst of a key."""
    values: dict[Key, float] = {}
    for schedule in _active(target, question.where, at):
        verdicts = list(_verdicts(target, schedule, at, grace=question.grace, early=question.early))
        if not verdicts:
            continue
        missed = next((n for n, met in enumerate(reversed(verdicts)) if met), len(verdicts))
        key = _key(question, schedule.id, schedule.task)
        values[key] = max(values.get(key, 0.0), float(missed))
    return Readings(values)


def schedules_missing(_: Story, target: TargetStory, __: Question, at: Instant) -> Readings:
    """Of the active schedules with a verdict. Absent if there are fewer than two: one is not all."""
    latest = [
        verdicts[-1]
        for schedule in _active(target, Where(), at)
        if (verdicts := list(_verdicts(target, schedule, at, grace=GRACE, early=EARLY)))
    ]
    return Readings({(): latest.count(False) / len(latest)} if len(latest) > 1 else {})


def due_slots(schedule: StorySchedule, until: Instant) -> Iterator[Instant]:
    """The slots after `known_since`, up to and with `until`, ascending."""
    if schedule.until is not None:
        until = min(until, schedule.until)
    if not schedule.cron:
        yield from (slot for slot in sorted(schedule.slots) if schedule.known_since < slot <= until)
        return
    try:
        begins = datetime.fromtimestamp(schedule.known_since / 1000, UTC).astimezone(ZoneInfo(schedule.timezone))
        for due in CronSim(schedule.cron, begins):
            slot = round(due.timestamp() * 1000)
            if slot > until:
                return
            if slot > schedule.known_since:
                yield slot
    except (CronSimError, KeyError, ValueError, OSError):
        # An expression or a zone that nobody here understands has no slots that could be missed.
        return


def _verdicts(target: TargetStory, schedule: StorySchedule, at: Instant, *, grace: int, early: int) -> Iterator[bool]:
    """Of each judged slot, ascending: whether it was met."""
    created = sorted(run.created for run in target.runs if run.task == schedule.task)
    # Those that are served before this one take their runs first.
    before = [
        set(due_slots(one, at - grace))
        for one in target.schedules
        if one.task == schedule.task and _rank(one) < _rank(schedule)
    ]
    for slot in due_slots(schedule, at - grace):
        taken = sum(1 for slots in before if slot in slots)
        met = sum(1 for instant in created if slot - early <= instant <= slot + grace) > taken
        if met or not _was_blind(target, slot - early, slot + grace):
            yield met


def _rank(schedule: StorySchedule) -> tuple[str, str]:
    # DECLARATIVE sorts before IMPERATIVE: the schedule in the code gets the run, the user-made one is missing.
    return schedule.type, schedule.id


def _was_blind(target: TargetStory, start: Instant, end: Instant) -> bool:
    return any(
        ("runs" in outage.collectors or "schedules" in outage.collectors)
        and outage.start <= end
        and (outage.end is None or outage.end > start)
        for outage in target.outages
    )


def _active(target: TargetStory, where: Where, at: Instant) -> list[StorySchedule]:
    return [
        schedule
        for schedule in target.schedules
        if schedule.known_since <= at
        and (schedule.until is None or at < schedule.until)
        and (not where.task or any(fnmatchcase(schedule.task, glob) for glob in where.task))
    ]


def _key(question: Question, schedule: str, task: str) -> Key:
    return tuple(schedule if dimension == "schedule" else task for dimension in question.by)
