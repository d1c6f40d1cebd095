"""Answers about queues, batches, deployments, tokens, and the source itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from triggerdev_alerts.signals import Blind, Key, Question, Readings
from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.facts import Cursor, Kind
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.readings.blindness import failing_for
from triggerdev_exporter.records import Queue
from triggerdev_exporter.target import CollectorState, Target

DEPLOYMENT_FAILURES = ("FAILED", "TIMED_OUT")
ANY = ("", "any")


def queues(target: Target, question: Question, number: Callable[[Queue], float | None]) -> Readings:
    """One number a queue; without `queue` in `by`, their sum."""
    globs = question.where.queue
    values: dict[Key, float] = {}
    for queue in target.sights.queues or ():
        value = number(queue)
        if value is None or (globs and not any(fnmatchcase(queue.name, glob) for glob in globs)):
            continue
        key = (queue.name,) if question.by else ()
        values[key] = values.get(key, 0.0) + value
    return Readings(values)


def inside(target: Target, question: Question, number: Callable[[Queue], float]) -> Readings:
    """What is in the queues; of those that the question leaves out nothing."""
    return queues(target, question, lambda queue: number(queue) if question.is_of(paused=queue.paused) else 0)


def batches_open_older(ledger: Ledger, question: Question, at: Instant) -> Readings:
    """A batch that nobody has read yet has no status and no age."""
    told = (batch.created_at for batch in ledger.batches.values() if batch.status in question.statuses)
    return older(told, question, at)


def older(created: Iterable[Instant], question: Question, at: Instant) -> Readings:
    """How many are older than `older_than`; absent where none is."""
    number = sum(1 for instant in created if at - instant > question.older_than)
    return Readings({(): float(number)} if number else {})


def deployment_failed(ledger: Ledger) -> Readings:
    """By the newest deployment that succeeded or failed; absent before the first."""
    cursor = ledger.facts[Kind.CURSOR].get("deployments")
    if not isinstance(cursor, Cursor) or not cursor.verdict:
        return Readings({})
    return Readings({(): 1.0 if cursor.verdict in DEPLOYMENT_FAILURES else 0.0})


def level(value: float | None) -> Readings:
    return Readings({} if value is None else {(): float(value)})


def collector_age(target: Target, question: Question, now: Instant, started_at: Instant) -> Readings:
    """0 for a collector that can look now. Without `collector` in `by`, the oldest. An unsupported one has no age."""
    values: dict[Key, float] = {}
    for name, state in target.states.items():
        reason = failing_for(target, name, now)
        if reason is Blind.UNSUPPORTED:
            continue
        failing = "" if reason is None else "auth" if reason is Blind.AUTH else "failing"
        if question.reason not in ANY and failing != question.reason:
            continue
        key = (name,) if question.by else ()
        values[key] = max(values.get(key, 0.0), _age(state, now, started_at, failing))
    return Readings(values)


def _age(state: CollectorState, now: Instant, started_at: Instant, failing: str) -> float:
    if state.up is not None and not failing:
        return 0.0
    # One that never succeeded is as old as we are, and one interval more: that long ago it should have.
    since = started_at - state.interval_ms if state.last_success is None else state.last_success
    if state.up is None:
        # Not asked yet; a collector that hangs in its first tick is found by this too.
        since = max(since, started_at)
    return max(0.0, float(now - since))


def collector_interval(target: Target, question: Question, now: Instant) -> Readings:
    values: dict[Key, float] = {}
    for name, state in target.states.items():
        if failing_for(target, name, now) is not Blind.UNSUPPORTED:
            key = (name,) if question.by else ()
            values[key] = max(values.get(key, 0.0), float(state.interval_ms))
    return Readings(values)


def quota_remaining(target: Target) -> Readings:
    meter = target.client.meter
    if not meter.rate_limit or meter.rate_limit_remaining is None:
        return Readings({})
    return level(meter.rate_limit_remaining / meter.rate_limit)


def clock_skew(target: Target) -> Readings:
    meter = target.client.meter
    return level(abs(meter.server_offset) if meter.is_dated else None)
