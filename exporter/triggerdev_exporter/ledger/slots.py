"""Slots: the instants at which a cron schedule is due, and whether a run met them. Pure.

The run list does not name a run's schedule. A scheduled run's createdAt is exactly its slot, so slots are matched on
(task, createdAt); where several schedules of one task share a slot, the runs there are shared out, declarative first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from triggerdev_exporter.clock import DAY, MINUTE, Instant
from triggerdev_exporter.ledger.facts import Kind, ScheduleFacts, Slot
from triggerdev_exporter.ledger.news import Draft
from triggerdev_exporter.records import Schedule

GRACE = 5 * MINUTE
KEPT = 2 * DAY
MAX_SLOTS_A_LOOK = 5_000
"""A schedule that was not judged for long (our outage) is judged in portions of this many slots."""


def slot_key(at: Instant, task: str) -> str:
    return f"{at}/{task}"


def _local(at: Instant, timezone: str) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(timezone))


def cron_slots(cron: str, timezone: str, after: Instant, until: Instant) -> Iterator[Instant]:
    """Instants in (`after`, `until`] at which `cron` is due; none for an expression or zone that is not understood."""
    try:
        # OSError, ValueError: what zoneinfo raises for names that are no zone.
        dues = CronSim(cron, _local(after, timezone))
        for due in dues:
            at = round(due.timestamp() * 1000)
            if at > until:
                return
            if at > after:
                yield at
    except (CronSimError, KeyError, ValueError, OSError):
        return


@lru_cache(maxsize=4096)
def is_slot(cron: str, timezone: str, at: Instant) -> bool:
    """Whether `cron` is due exactly at `at`."""
    return next(cron_slots(cron, timezone, at - MINUTE, at), None) == at


def due_slots(facts: ScheduleFacts, until: Instant) -> list[Instant]:
    """Slots of one schedule in (judged_to, until], at most `MAX_SLOTS_A_LOOK`.

    The next run that the platform itself announced is the first of them: its calendar decides, ours only fills in.
    """
    slots: list[Instant] = []
    after = facts.judged_to
    if facts.next_run is not None:
        if after < facts.next_run <= until:
            slots.append(facts.next_run)
        after = max(after, facts.next_run)
    for at in cron_slots(facts.cron, facts.timezone, after, until):
        slots.append(at)
        if len(slots) >= MAX_SLOTS_A_LOOK:
            break
    return slots


def note_run(draft: Draft, task: str, at: Instant, *, succeeded: bool) -> None:
    """A run of `task` met the slot `at`: every schedule of the task that was due there has run."""
    for schedule_id, facts in draft.schedules_of(task):
        if facts.next_run != at and not is_slot(facts.cron, facts.timezone, at):
            continue
        field = "last_success" if succeeded else "last_run"
        if (getattr(facts, field) or 0) < at:
            draft.put(Kind.SCHEDULE, schedule_id, msgspec.structs.replace(facts, **{field: at}))


def look(draft: Draft, schedules: Iterable[Schedule], *, now: Instant, complete_until: Instant) -> None:
    """Take in a complete list of schedules at `now` (server time) and judge the slots that are past their grace.

    `complete_until` is how far the runs are known to be read: no verdict beyond it. A schedule is judged from the
    first look on, and anew from any edit.
    """
    limit = min(now - GRACE, complete_until)
    old = draft.all(Kind.SCHEDULE, ScheduleFacts)
    _judge(draft, old, limit)
    for schedule in schedules:
        before = draft.get(Kind.SCHEDULE, schedule.id, ScheduleFacts)
        old.pop(schedule.id, None)
        draft.put(Kind.SCHEDULE, schedule.id, _looked_at(draft, before, schedule, now))
    for gone in old:
        draft.drop(Kind.SCHEDULE, gone)
    for key, slot in draft.all(Kind.SLOT, Slot).items():
        if slot.at < now - KEPT and slot.at <= limit:
            draft.drop(Kind.SLOT, key)


def _judge(draft: Draft, schedules: dict[str, ScheduleFacts], limit: Instant) -> None:
    due: dict[tuple[str, Instant], list[str]] = defaultdict(list)
    for schedule_id, facts in schedules.items():
        if not facts.active or limit <= facts.judged_to:
            continue
        slots = due_slots(facts, limit)
        judged_to = slots[-1] if len(slots) >= MAX_SLOTS_A_LOOK else limit
        draft.put(Kind.SCHEDULE, schedule_id, msgspec.structs.replace(facts, judged_to=judged_to))
        for at in slots:
            due[facts.task, at].append(facts.type)
    for (task, at), types in due.items():
        slot = draft.get(Kind.SLOT, slot_key(at, task), Slot)
        met = 0 if slot is None else slot.runs
        # DECLARATIVE sorts before IMPERATIVE: the schedule in the code gets the run, the user-made one is missing.
        for missed_type in sorted(types)[met:]:
            draft.count("schedule_missed_total", (task, missed_type))


def _looked_at(draft: Draft, before: ScheduleFacts | None, schedule: Schedule, now: Instant) -> ScheduleFacts:
    facts = ScheduleFacts(
        task=schedule.task,
        type=schedule.type,
        cron=schedule.cron,
        timezone=schedule.timezone,
        active=schedule.active,
        next_run=schedule.next_run,
        judged_to=now,
    )
    if before is None:
        return _with_past(draft, facts)
    last = {"last_run": before.last_run, "last_success": before.last_success}
    same = (before.task, before.cron, before.timezone) == (facts.task, facts.cron, facts.timezone)
    if same and before.active and facts.active:
        # The announcement we judge by is kept until its slot is judged: a newer one would skip that slot.
        next_run = (
            before.next_run if before.next_run is not None and before.next_run > before.judged_to else facts.next_run
        )
        return msgspec.structs.replace(facts, judged_to=before.judged_to, next_run=next_run, **last)
    return msgspec.structs.replace(facts, **last)


def _with_past(draft: Draft, facts: ScheduleFacts) -> ScheduleFacts:
    """Runs that were read before the schedule was known, newest slot first."""
    for slot in sorted(draft.all(Kind.SLOT, Slot).values(), key=lambda slot: -slot.at):
        if slot.task != facts.task or not is_slot(facts.cron, facts.timezone, slot.at):
            continue
        if facts.last_run is None:
            facts = msgspec.structs.replace(facts, last_run=slot.at)
        if slot.successes and facts.last_success is None:
            facts = msgspec.structs.replace(facts, last_success=slot.at)
            break
    return facts
