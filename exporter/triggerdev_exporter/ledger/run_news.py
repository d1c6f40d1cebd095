"""What a sight of runs changes: who was triggered, started, finished, and what that does to each task. Pure.

The rules are those of docs/design.md, section 6. Each run is counted as triggered iff createdAt ≥ birth, as started iff
startedAt ≥ birth, as finished iff finishedAt ≥ birth, and each of these once: an open run carries what was counted of
it, a run that ended is remembered by the hash of its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.ledger.coverage import is_covered
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.facts import KEPT_FAILURES, Kind, OpenRun, Slot, TaskFacts
from triggerdev_exporter.ledger.limits import OTHER
from triggerdev_exporter.ledger.news import Noted
from triggerdev_exporter.ledger.recent import Ended
from triggerdev_exporter.ledger.settled import ATTEMPTS_DUE, HORIZON, REOPENED_TOLD
from triggerdev_exporter.ledger.sketch import code_of
from triggerdev_exporter.ledger.slots import note_run, slot_key
from triggerdev_exporter.ledger.span_news import enriched, run_ends
from triggerdev_exporter.ledger.strips import ENDED, NANOUSD, RUNS, About, Family
from triggerdev_exporter.ledger.tags import TAGGED, UNTAGGED, value_of
from triggerdev_exporter.records import Enrichment, Run
from triggerdev_exporter.statuses import OPEN, OUTCOMES, Outcome

KEPT_VERSIONS = 3
OLDER = "__older__"
MAX_SLOTS = 20_000
"""Slots kept at once, whatever the number of tasks; beyond it verdicts on schedules suffer, not memory."""
VANISH_AFTER = 3
"""Looks that must fail in a row before a run, batch or token counts as gone."""


class _End(NamedTuple):
    """What a terminal status means, as what is counted by."""

    status: str
    outcome: Outcome
    label: str
    """The outcome as a label value."""
    sub: int
    """Its number in the cells of strips."""


_ENDS = {
    status: _End(status.value, outcome, outcome.value, ENDED.index(status.value))
    for status, outcome in OUTCOMES.items()
}


def sight(draft: Draft, runs: Iterable[Run], *, now: Instant, count_tests: bool) -> list[Run]:
    """Take in `runs` as seen at `now` (server time); those that were never seen before.

    Order and repetition do not change the result.
    """
    draft.keep_strips(now)
    return [run for run in runs if _sight_of_one(draft, run, now, count_tests)]


def _sight_of_one(draft: Draft, run: Run, now: Instant, count_tests: bool) -> bool:
    """Whether it was never seen before."""
    end = _ENDS.get(run.status)
    before = draft.run(run.id)
    if before is None:
        marks = draft.marks(Kind.RUN, run.id)
        if marks is not None:
            _seen_after_its_end(draft, run, marks, now)
            return False
        if end is not None and _too_late(draft, run, now):
            draft.notice("too_late", f"{run.id} of task {run.task} was created more than 7 days ago and first seen now")
            draft.settle(Kind.RUN, run.id, until=now + HORIZON)
            return True
    apart = run.is_test and not count_tests
    started_at = run.started_at
    if started_at is None and before is not None:
        started_at = before.started_at
    about = _about(run, before, apart) if draft.keeps_strips else None
    if about is not None:
        _note_sight(draft, run, before, started_at, about)
    start_counted = before is not None and before.start_counted
    if not apart:
        _remember_task(draft, run, is_open=end is None)
        if before is None:
            if run.created_at >= draft.birth:
                draft.count("runs_triggered_total", (run.task,))
            _fill_slot(draft, run)
        if started_at is not None and started_at >= draft.birth and not start_counted:
            draft.count("runs_started_total", (run.task,))
            start_counted = True

    if end is not None:
        _end(draft, run, before, started_at, end, apart, about, now)
        return before is None
    draft.put(
        Kind.RUN,
        run.id,
        OpenRun(
            task=run.task,
            status=run.status,
            created_at=run.created_at,
            started_at=started_at,
            delayed_until=run.delayed_until,
            version=run.version,
            is_test=apart,
            start_counted=start_counted,
            queue=None if before is None else before.queue,
            batch_id=run.batch_id or (None if before is None else before.batch_id),
            attempts=run.attempts or (None if before is None else before.attempts),
            parent_id=None if before is None else before.parent_id,
            root_id=None if before is None else before.root_id,
            traceparent=run.traceparent,
        ),
    )
    return before is None


def _about(run: Run, before: OpenRun | None, apart: bool) -> About:
    return About(
        task=run.task,
        queue=None if before is None else before.queue,
        version=run.version or "",
        tags=run.tags,
        is_test=apart,
    )


def _note_sight(draft: Draft, run: Run, before: OpenRun | None, started_at: Instant | None, about: About) -> None:
    if before is None:
        draft.note(Family.TRIGGERED, run.created_at, about, 0, run_id=run.id)
    elif run.version and not before.version:
        # A run gets its version when it is taken up.
        draft.tell_version(
            run.id, Noted(Family.TRIGGERED, run.created_at, about._replace(version=""), 0, 1), run.version
        )
    if started_at is not None and (before is None or before.started_at is None) and draft.keeps(Family.WAIT):
        draft.note(Family.WAIT, started_at, about, code_of(_waited(run, started_at)), run_id=run.id)


def _waited(run: Run, started_at: Instant) -> int:
    return max(0, started_at - max(run.created_at, run.delayed_until or 0))


def _seen_after_its_end(draft: Draft, run: Run, marks: int, now: Instant) -> None:
    if run.status in OPEN and not marks & REOPENED_TOLD:
        draft.notice(
            "reopened", f"{run.id} of task {run.task} had ended and is {run.status} again; it is not counted twice"
        )
        draft.settle(Kind.RUN, run.id, until=now + HORIZON, marks=marks | REOPENED_TOLD)


def _too_late(draft: Draft, run: Run, now: Instant) -> bool:
    # Only where we have read before: an id from there may be forgotten already. In a gap nothing was ever counted.
    return run.created_at < now - HORIZON and is_covered(draft.coverage(), run.created_at)


def _end(
    draft: Draft,
    run: Run,
    before: OpenRun | None,
    started_at: Instant | None,
    end: _End,
    apart: bool,
    about: About | None,
    now: Instant,
) -> None:
    # A dialect may leave finishedAt out; the last change of an ended run is its end.
    finished_at = run.finished_at or run.updated_at or now
    counted = finished_at >= draft.birth
    if about is not None:
        _note_end(draft, run, started_at, finished_at, end, about)
    if apart:
        if counted:
            draft.count("runs_test_finished_total", (run.task,))
        if draft.get(Kind.TEST, run.task, TaskFacts) is not None or draft.admits_test():
            _remember_outcome(draft, Kind.TEST, run.task, end.outcome, finished_at)
    else:
        if end.outcome is Outcome.SUCCESS:
            draft.succeeded(run.task, run.version or "", run.created_at)
            _succeed_slot(draft, run)
        else:
            draft.news.ended.append(_ended(run, end, None if before is None else before.queue, finished_at))
        if counted:
            _count_end(draft, run, end, started_at, finished_at, now)
        if draft.admits(run.task):
            _remember_outcome(draft, Kind.TASK, run.task, end.outcome, finished_at)
    if counted:
        run_ends(draft, run, started_at=started_at, finished_at=finished_at, is_apart=apart, now=now)
    if before is not None:
        draft.drop(Kind.RUN, run.id)
    # A run that never started took no attempt, though TRQL says 1 of some of them and never shows the others.
    attempts_due = counted and not apart and run.attempts is None and started_at is not None
    draft.settle(
        Kind.RUN,
        run.id,
        until=max(run.created_at, now) + HORIZON,
        marks=ATTEMPTS_DUE if attempts_due else 0,
    )


def _ended(run: Run, end: _End, queue: str | None, finished_at: Instant) -> Ended:
    return Ended(
        finished_at=finished_at,
        id=run.id,
        task=run.task,
        status=end.status,
        created_at=run.created_at,
        version=run.version or "",
        queue=queue,
        tags=run.tags,
        is_success=False,
    )


def _note_end(
    draft: Draft, run: Run, started_at: Instant | None, finished_at: Instant, end: _End, about: About
) -> None:
    draft.note(Family.FINISHED, finished_at, about, end.sub, run_id=run.id)
    if draft.keeps(Family.COST):
        draft.note(Family.COST, finished_at, about, RUNS, run_id=run.id)
        if run.cost_nanousd:
            draft.note(Family.COST, finished_at, about, NANOUSD, run.cost_nanousd, run_id=run.id)
    if started_at is not None and draft.keeps(Family.DURATION):
        lasted = max(0, finished_at - started_at)
        draft.note(Family.DURATION, finished_at, about, code_of(lasted), run_id=run.id)


def _count_end(
    draft: Draft, run: Run, end: _End, started_at: Instant | None, finished_at: Instant, now: Instant
) -> None:
    task = run.task
    of_task = (task,)
    draft.count("runs_finished_total", (task, end.status))
    if run.version:
        _count_version(draft, (run.version, end.label))
    for tag, most in draft.tags.items():
        _count_tag(draft, tag, value_of(tag, run.tags), end.outcome, most)
    if started_at is not None:
        draft.observe("run_wait_seconds", of_task, _waited(run, started_at), run.id, now)
        draft.observe("run_duration_seconds", (task, end.label), max(0, finished_at - started_at), run.id, now)
    if run.compute_ms is not None:
        draft.count("run_compute_seconds_total", of_task, run.compute_ms)
    if run.cost_nanousd is not None:
        draft.count("run_cost_usd_total", of_task, run.cost_nanousd)
    if run.attempts is not None and started_at is not None:
        draft.count("run_attempts_total", of_task, run.attempts)


def version_order(version: str) -> tuple[tuple[int, str], ...]:
    """A sort key for ``20241123.7``: by number where it is one, by text elsewhere."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))


def _count_version(draft: Draft, labels: tuple[str, str]) -> None:
    family = "runs_by_version_finished_total"
    if draft.has(family, labels):
        draft.count(family, labels)
        return
    version, outcome = labels
    known = {other[0] for other in draft.series(family)} - {OLDER}
    if version not in known:
        kept = sorted(known | {version}, key=version_order, reverse=True)[:KEPT_VERSIONS]
        for other in draft.series(family):
            if other[0] != OLDER and other[0] not in kept:
                draft.fold(family, other, (OLDER, other[1]))
        if version not in kept:
            version = OLDER
    draft.count(family, (version, outcome))


def _count_tag(draft: Draft, tag: str, value: str, outcome: Outcome, most: int) -> None:
    if not draft.has(TAGGED, (tag, value, outcome.value)) and value != UNTAGGED:
        known = {labels[1] for labels in draft.series(TAGGED) if labels[0] == tag} - {UNTAGGED, OTHER}
        if value not in known and len(known) >= most:
            value = OTHER
            draft.overflowed(TAGGED)
    draft.count(TAGGED, (tag, value, outcome.value))


def _remember_task(draft: Draft, run: Run, *, is_open: bool) -> None:
    facts = draft.get(Kind.TASK, run.task, TaskFacts)
    is_newest = bool(run.version) and (facts is None or run.created_at >= facts.version_at)
    is_first = is_open and (facts is None or run.status.value not in facts.open_statuses)
    if facts is None and not draft.admits(run.task):
        return
    if facts is not None and not is_newest and not is_first:
        return
    facts = facts or TaskFacts()
    if is_newest:
        facts = msgspec.structs.replace(facts, version=run.version, version_at=run.created_at)
    if is_first:
        facts = msgspec.structs.replace(facts, open_statuses=tuple(sorted({*facts.open_statuses, run.status.value})))
    draft.put(Kind.TASK, run.task, facts)


def _remember_outcome(draft: Draft, kind: Kind, task: str, outcome: Outcome, finished_at: Instant) -> None:
    before = draft.get(kind, task, TaskFacts)
    facts = before or TaskFacts()
    if facts.last_finished is None or finished_at > facts.last_finished:
        facts = msgspec.structs.replace(facts, last_finished=finished_at)
    if outcome is Outcome.SUCCESS:
        facts = _with_success(facts, finished_at)
    elif outcome is Outcome.FAILURE:
        facts = _with_failure(facts, finished_at)
    if facts is not before:
        draft.put(kind, task, facts)


def _with_success(facts: TaskFacts, at: Instant) -> TaskFacts:
    if facts.last_success is not None and at <= facts.last_success:
        return facts
    later = tuple(failure for failure in facts.failures if failure > at)
    # The failures beyond the kept ones are older than those: a success after any kept one is after all of them.
    beyond = facts.older_failures if len(later) == len(facts.failures) else 0
    return msgspec.structs.replace(facts, last_success=at, failures=later, older_failures=beyond)


def _with_failure(facts: TaskFacts, at: Instant) -> TaskFacts:
    if facts.last_success is not None and at <= facts.last_success:
        return facts
    failures = tuple(sorted((*facts.failures, at)))
    beyond = max(0, len(failures) - KEPT_FAILURES)
    return msgspec.structs.replace(facts, failures=failures[beyond:], older_failures=facts.older_failures + beyond)


def _fill_slot(draft: Draft, run: Run) -> None:
    if not _may_be_scheduled(run) or draft.how_many(Kind.SLOT) >= MAX_SLOTS:
        return
    key = slot_key(run.created_at, run.task)
    slot = draft.get(Kind.SLOT, key, Slot) or Slot(task=run.task, at=run.created_at)
    draft.put(Kind.SLOT, key, msgspec.structs.replace(slot, runs=slot.runs + 1))
    note_run(draft, run.task, run.created_at, succeeded=False)


def _succeed_slot(draft: Draft, run: Run) -> None:
    if not _may_be_scheduled(run):
        return
    key = slot_key(run.created_at, run.task)
    slot = draft.get(Kind.SLOT, key, Slot)
    if slot is not None:
        draft.put(Kind.SLOT, key, msgspec.structs.replace(slot, successes=slot.successes + 1))
    note_run(draft, run.task, run.created_at, succeeded=True)


def _may_be_scheduled(run: Run) -> bool:
    # The list does not name the schedule; a scheduled run's createdAt is its slot, and cron slots are whole minutes.
    return run.created_at % MINUTE == 0 and run.kind in (None, "SCHEDULED")


def not_found(draft: Draft, run_id: str, *, now: Instant) -> None:
    """Nobody knows this open run any more: give it up after `VANISH_AFTER` looks, visibly."""
    run = draft.run(run_id)
    if run is None:
        return
    if run.missing + 1 < VANISH_AFTER:
        draft.put(Kind.RUN, run_id, msgspec.structs.replace(run, missing=run.missing + 1))
        return
    draft.notice("vanished", f"{run_id} of task {run.task} was {run.status} and no longer exists")
    draft.drop(Kind.RUN, run_id)
    draft.settle(Kind.RUN, run_id, until=now + HORIZON)


def enrich(draft: Draft, rows: Iterable[Enrichment], *, now: Instant) -> None:
    """Add what TRQL knows to runs that are in the ledger: queue, batch, attempts. It never counts a run."""
    draft.keep_strips(now)
    told: set[str] = set()
    for row in rows:
        enriched(draft, row, now=now)
        if row.queue:
            draft.tell_queue(row.run_id, row.queue)
            if row.task is not None and row.task not in told:
                # Rows come newest first.
                told.add(row.task)
                _remember_queue(draft, row.task, row.queue)
        run = draft.run(row.run_id)
        if run is not None:
            more = {"queue": row.queue, "batch_id": row.batch_id, "attempts": row.attempts}
            told_of = {key: value for key, value in more.items() if value}
            draft.put(Kind.RUN, row.run_id, msgspec.structs.replace(run, **told_of))
            continue
        marks = draft.marks(Kind.RUN, row.run_id)
        if marks is None or not marks & ATTEMPTS_DUE or row.attempts is None or row.task is None or not row.is_finished:
            continue
        draft.count("run_attempts_total", (row.task,), row.attempts)
        draft.settle(Kind.RUN, row.run_id, until=now + HORIZON, marks=marks & ~ATTEMPTS_DUE)


def _remember_queue(draft: Draft, task: str, queue: str) -> None:
    facts = draft.get(Kind.TASK, task, TaskFacts)
    if facts is not None and facts.queue != queue:
        draft.put(Kind.TASK, task, msgspec.structs.replace(facts, queue=queue))


def open_by_status(runs: Iterable[OpenRun]) -> dict[tuple[str, str], tuple[int, Instant]]:
    """(task, status) → how many are open, and since when the oldest is."""
    table: dict[tuple[str, str], tuple[int, Instant]] = {}
    for run in runs:
        if run.is_test:
            continue
        place = (run.task, run.status)
        found = table.get(place)
        since = run.since
        table[place] = (1, since) if found is None else (found[0] + 1, min(found[1], since))
    return table
