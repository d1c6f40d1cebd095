"""Slots: the instants at which a cron schedule is due, and whether a run met them. Pure.

The run list does not name a run's schedule. A scheduled run's createdAt is exactly its slot, so slots are matched on
(task, createdAt); where several schedules of one task share a slot, the runs there are shared out, declarative first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from triggerdev_exporter.clock import DAY, HOUR, MINUTE, Instant
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import Kind, ScheduleFacts, Slot
from triggerdev_exporter.records import Schedule

Span = tuple[Instant, Instant]
"""From an instant to an instant."""

GRACE, EARLY = 5 * MINUTE, MINUTE
KEPT = 2 * DAY
LONGEST_GRACE = 6 * HOUR
"""Questions with more can only be answered for schedules that are due seldom enough."""
MAX_VERDICTS = 100
"""Slots in a row that were missed; more are as many."""
MAX_ANNOUNCED = 100
"""Announcements kept while verdicts are held; beyond it our own cron fills in."""
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
    """Slots of one schedule in (judged_to, until], ascending, at most `MAX_SLOTS_A_LOOK`.

    The platform's calendar decides where it spoke: an announcement made at `p` of a next run at `n` says that `n` is a
    slot and that there is none between. Only where it said nothing do we ask our own cron.
    """
    told = {at for _, at in facts.announced if facts.judged_to < at <= until}
    found: list[Instant] = []
    for at in cron_slots(facts.cron, facts.timezone, facts.judged_to, until):
        if not any(said < at < announced for said, announced in facts.announced):
            found.append(at)
        if len(found) >= MAX_SLOTS_A_LOOK:
            until = at
            break
    return sorted({*found, *(at for at in told if at <= until)})[:MAX_SLOTS_A_LOOK]


def note_run(draft: Draft, task: str, at: Instant, *, succeeded: bool) -> None:
    """A run of `task` met the slot `at`: every schedule of the task that was due there has run."""
    for schedule_id, facts in draft.schedules_of(task):
        if all(at != announced for _, announced in facts.announced) and not is_slot(facts.cron, facts.timezone, at):
            continue
        field = "last_success" if succeeded else "last_run"
        if (getattr(facts, field) or 0) < at:
            draft.put(Kind.SCHEDULE, schedule_id, msgspec.structs.replace(facts, **{field: at}))


def was_blind(blind: Iterable[Span], at: Instant, *, grace: int, early: int) -> bool:
    """Whether nobody could look anywhere in the time in which a run may meet the slot `at`."""
    return any(start <= at + grace and end > at - early for start, end in blind)


def rank(facts: ScheduleFacts, schedule_id: str) -> tuple[str, str]:
    """Who gets the runs of a shared slot first."""
    # DECLARATIVE sorts before IMPERATIVE: the schedule in the code gets the run, the user-made one is missing.
    return facts.type, schedule_id


def look(
    draft: Draft,
    schedules: Iterable[Schedule],
    *,
    now: Instant,
    complete_until: Instant,
    blind: Sequence[Span] = (),
) -> None:
    """Take in a complete list of schedules at `now` (server time) and judge the slots that are past their grace.

    `complete_until` is how far the runs are known to be read: no verdict beyond it. A schedule is judged from the
    first look on, and anew from any edit. `blind` are the times in which runs or schedules could not be read: a slot
    that was missed then is counted, but no rule is told.
    """
    limit = min(now - GRACE, complete_until)
    old = draft.all(Kind.SCHEDULE, ScheduleFacts)
    listed = {schedule.id: schedule for schedule in schedules}
    _judge(draft, old, listed, limit, blind)
    for schedule in listed.values():
        before = draft.get(Kind.SCHEDULE, schedule.id, ScheduleFacts)
        old.pop(schedule.id, None)
        draft.put(Kind.SCHEDULE, schedule.id, _looked_at(draft, before, schedule, now))
    for gone in old:
        draft.drop(Kind.SCHEDULE, gone)
    for key, slot in draft.all(Kind.SLOT, Slot).items():
        if slot.at < now - KEPT and slot.at <= limit:
            draft.drop(Kind.SLOT, key)


def _goes_on(facts: ScheduleFacts, now_is: Schedule | None) -> bool:
    """Whether a schedule is still what it was at the last look."""
    return now_is is not None and (facts.task, facts.cron, facts.timezone, facts.active) == (
        now_is.task,
        now_is.cron,
        now_is.timezone,
        now_is.active,
    )


def _judge(
    draft: Draft,
    schedules: dict[str, ScheduleFacts],
    listed: dict[str, Schedule],
    limit: Instant,
    blind: Sequence[Span],
) -> None:
    due: dict[tuple[str, Instant], list[str]] = defaultdict(list)
    for schedule_id, facts in schedules.items():
        until = limit
        if not _goes_on(facts, listed.get(schedule_id)):
            # Switched off, edited or deleted since, nobody knows when: what was due after the last word is no miss.
            until = min(limit, facts.announced[-1][0] if facts.announced else facts.judged_to)
        if not facts.active or until <= facts.judged_to:
            continue
        slots = due_slots(facts, until)
        judged_to = slots[-1] if len(slots) >= MAX_SLOTS_A_LOOK else until
        draft.put(Kind.SCHEDULE, schedule_id, msgspec.structs.replace(facts, judged_to=judged_to))
        for at in slots:
            due[facts.task, at].append(schedule_id)
    verdicts: dict[str, list[tuple[Instant, bool]]] = defaultdict(list)
    for (task, at), sharing in due.items():
        slot = draft.get(Kind.SLOT, slot_key(at, task), Slot)
        met = 0 if slot is None else slot.runs
        for place, schedule_id in enumerate(sorted(sharing, key=lambda one: rank(schedules[one], one))):
            if place >= met:
                draft.count("schedule_missed_total", (task, schedules[schedule_id].type))
            if place < met or not was_blind(blind, at, grace=GRACE, early=EARLY):
                verdicts[schedule_id].append((at, place < met))
    for schedule_id, found in verdicts.items():
        judged = draft.get(Kind.SCHEDULE, schedule_id, ScheduleFacts)
        if judged is not None:
            latest = _latest(sorted((*judged.verdicts, *found)), limit)
            draft.put(Kind.SCHEDULE, schedule_id, msgspec.structs.replace(judged, verdicts=latest))


def _latest(verdicts: list[tuple[Instant, bool]], limit: Instant) -> tuple[tuple[Instant, bool], ...]:
    """From the last slot on that was met, and that is old enough for questions with a longer grace than ours."""
    old = (place for place, (at, met) in enumerate(verdicts) if met and at <= limit - LONGEST_GRACE)
    return tuple(verdicts[max(old, default=0) :][-MAX_VERDICTS:])


def _looked_at(draft: Draft, before: ScheduleFacts | None, schedule: Schedule, now: Instant) -> ScheduleFacts:
    told = () if schedule.next_run is None or schedule.next_run <= now else ((now, schedule.next_run),)
    facts = ScheduleFacts(
        task=schedule.task,
        type=schedule.type,
        cron=schedule.cron,
        timezone=schedule.timezone,
        active=schedule.active,
        announced=told,
        judged_to=now,
        known_since=now,
    )
    if before is None:
        return _with_past(draft, facts)
    last = {"last_run": before.last_run, "last_success": before.last_success}
    same = (before.task, before.cron, before.timezone) == (facts.task, facts.cron, facts.timezone)
    if same and before.active and facts.active:
        open_ones = tuple(said for said in before.announced if said[1] > before.judged_to)
        # The same slot announced again adds nothing: the earlier word covers more time.
        news = tuple(said for said in told if said[1] not in {at for _, at in open_ones})
        announced = (open_ones + news)[-MAX_ANNOUNCED:]
        return msgspec.structs.replace(
            facts,
            judged_to=before.judged_to,
            announced=announced,
            known_since=before.known_since or before.judged_to,
            verdicts=before.verdicts,
            **last,
        )
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
