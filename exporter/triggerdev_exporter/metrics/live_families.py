"""Families about queues, batches, schedules, deployments and waitpoint tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.facts import Cursor, OpenBatch
from triggerdev_exporter.ledger.facts import Kind as FactKind
from triggerdev_exporter.ledger.thing_news import DEPLOYMENT_ENDS, TOKEN_ENDS
from triggerdev_exporter.metrics.family import Family, Kind, Rest, Rows, View
from triggerdev_exporter.metrics.run_families import histogram_rows, seconds
from triggerdev_exporter.records import Queue, Schedule
from triggerdev_exporter.statuses import RunStatus

MAX_IMPERATIVE = 50
"""Users make imperative schedules one a customer; above this they have no series of their own."""
_BATCH_OPEN = ("PARTIAL_FAILED", "PENDING", "PROCESSING")
_BATCH_END = ("ABORTED", "COMPLETED", "PARTIAL_FAILED")


def _queues(pick: Callable[[Queue], float | None]) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        for queue in view.queues:
            value = pick(queue)
            if value is not None:
                yield (queue.name,), value

    return read


def _queue_info(view: View) -> Rows:
    for queue in view.queues:
        yield (queue.name, queue.type, queue.task or ""), 1


def _oldest_queued(view: View) -> Rows:
    ledger = view.counts("runs")
    if ledger is None:
        return
    names = {queue.name for queue in view.target.sights.queues or ()}
    oldest: dict[str, Instant] = {}
    for run in ledger.runs.values():
        if run.status is not RunStatus.QUEUED:
            continue
        # Without enrichment only a task's own queue is known, and only if the server has one for it.
        queue = run.queue or f"task/{run.task}"
        if run.queue is not None or queue in names:
            oldest[queue] = min(oldest.get(queue, run.since), run.since)
    for queue, since in sorted(oldest.items()):
        yield (queue,), seconds(since)


def _zeros(family: str, collector: str, values: Iterable[str]) -> Callable[[View], Rows]:
    """A counter by one label whose values are known: all of them from the start, at 0."""
    known = sorted(values)

    def read(view: View) -> Rows:
        ledger = view.counts(collector)
        if ledger is None:
            return
        answered = view.state(collector).last_success is not None
        counted = ledger.counter(family)
        for value in known:
            # What was counted is shown for ever, also by a key that may no longer ask; zeros wait for an answer.
            if answered or (value,) in counted:
                yield (value,), counted.get((value,), 0)

    return read


def _triggered(view: View) -> Rows:
    ledger = view.counts("batches")
    if ledger is not None:
        counted = ledger.counter("batches_triggered_total")
        if counted or view.state("batches").last_success is not None:
            yield (), counted.get((), 0)


def _seen_batches(view: View) -> list[OpenBatch]:
    ledger = view.counts("batches")
    return [] if ledger is None else [batch for batch in ledger.batches.values() if batch.status]


def _batches_open(view: View) -> Rows:
    table = Counter(batch.status for batch in _seen_batches(view))
    for status in sorted({*_BATCH_OPEN, *table}):
        yield (status,), table[status]


def _oldest_batch(view: View) -> Rows:
    oldest: dict[str, Instant] = {}
    for batch in _seen_batches(view):
        oldest[batch.status] = min(oldest.get(batch.status, batch.created_at), batch.created_at)
    for status, since in sorted(oldest.items()):
        yield (status,), seconds(since)


def _schedules(view: View) -> Rows:
    table = Counter((one.task, one.type, str(one.active).lower()) for one in view.target.sights.schedules or ())
    yield from sorted(table.items())


def _named(view: View) -> list[Schedule]:
    """Schedules that have series of their own."""
    found = view.target.sights.schedules or ()
    imperative = sum(one.type != "DECLARATIVE" for one in found)
    return sorted(
        (one for one in found if one.type == "DECLARATIVE" or imperative <= MAX_IMPERATIVE), key=lambda one: one.id
    )


def _schedule_info(view: View) -> Rows:
    for one in _named(view):
        yield (one.id, one.task, one.cron, one.timezone, one.type), 1


def _next_run(view: View) -> Rows:
    for one in _named(view):
        if one.active and one.next_run is not None:
            yield (one.id,), seconds(one.next_run)


def _schedule_last(field: str) -> Callable[[View], Rows]:
    def read(view: View) -> Rows:
        ledger = view.counts("runs")
        if ledger is None:
            return
        for one in _named(view):
            facts = ledger.schedules.get(one.id)
            at = None if facts is None else getattr(facts, field)
            if at is not None:
                yield (one.id,), seconds(at)

    return read


def _missed(view: View) -> Rows:
    ledger = view.counts("schedules")
    if ledger is None:
        return
    counted = ledger.counter("schedule_missed_total")
    for place in sorted({(facts.task, facts.type) for facts in ledger.schedules.values()} | counted.keys()):
        yield place, counted.get(place, 0)


def _deployments_open(view: View) -> Rows:
    ledger = view.counts("deployments")
    if ledger is not None:
        yield (), len(ledger.deployments)


def _oldest_deployment(view: View) -> Rows:
    ledger = view.counts("deployments")
    if ledger is not None and ledger.deployments:
        yield (), seconds(min(deployment.created_at for deployment in ledger.deployments.values()))


def _last_deployment(view: View) -> Rows:
    ledger = view.counts("deployments")
    cursor = None if ledger is None else ledger.facts[FactKind.CURSOR].get("deployments")
    if isinstance(cursor, Cursor):
        for status, at in sorted(cursor.ended.items()):
            yield (status,), seconds(at)


def _current_deployment(view: View) -> Rows:
    current = view.target.sights.deployment
    if current is not None:
        yield (current.version, current.runtime or ""), 1


def _tokens_open(view: View) -> Rows:
    ledger = view.counts("waitpoints")
    if ledger is not None:
        yield (), len(ledger.tokens)


def _oldest_token(view: View) -> Rows:
    ledger = view.counts("waitpoints")
    if ledger is not None and ledger.tokens:
        yield (), seconds(min(token.created_at for token in ledger.tokens.values()))


def _families() -> Iterator[Family]:
    counter, gauge, histogram = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
    yield Family(
        "queue_depth",
        gauge,
        ("queue",),
        "Runs waiting in the queue, as last polled (queued); delayed runs are not in it.",
        _queues(lambda queue: queue.queued),
        "queues",
        Rest.SUMMED,
        lambda limits: limits.queues,
    )
    yield Family(
        "queue_running",
        gauge,
        ("queue",),
        "Runs of the queue that are dequeued or executing, as last polled (running).",
        _queues(lambda queue: queue.running),
        "queues",
        Rest.SUMMED,
        lambda limits: limits.queues,
    )
    yield Family(
        "queue_concurrency_limit",
        gauge,
        ("queue",),
        "How many runs of the queue may execute at once; absent when only the environment's limit holds.",
        _queues(lambda queue: queue.concurrency_limit),
        "queues",
        Rest.DROPPED,
        lambda limits: limits.queues,
    )
    yield Family(
        "queue_paused",
        gauge,
        ("queue",),
        "1 while the queue is paused.",
        _queues(lambda queue: float(queue.paused)),
        "queues",
        Rest.DROPPED,
        lambda limits: limits.queues,
    )
    yield Family(
        "queue_oldest_queued_timestamp_seconds",
        gauge,
        ("queue",),
        "Since when the oldest run waits in the queue; where a run's queue is known.",
        _oldest_queued,
        "runs",
        Rest.OLDEST,
        lambda limits: limits.queues,
    )
    yield Family(
        "queue_info",
        gauge,
        ("queue", "type", "task"),
        "1 for each queue: task (the own queue of a task) or custom.",
        _queue_info,
        "queues",
        Rest.DROPPED,
        lambda limits: limits.queues,
    )
    yield Family(
        "batches_triggered_total",
        counter,
        (),
        "Batches created since counting began, of those that we learnt of.",
        _triggered,
    )
    yield Family(
        "batches_finished_total",
        counter,
        ("status",),
        "Batches whose runs all ended (says nothing about how): COMPLETED, PARTIAL_FAILED if some items never became "
        "runs, ABORTED if none did.",
        _zeros("batches_finished_total", "batches", _BATCH_END),
    )
    yield Family(
        "batches_open", gauge, ("status",), "Batches that are followed and have not ended.", _batches_open, "batches"
    )
    yield Family(
        "batches_oldest_open_timestamp_seconds",
        gauge,
        ("status",),
        "When the oldest batch that has not ended was created.",
        _oldest_batch,
        "batches",
    )
    yield Family(
        "batch_items_total",
        counter,
        ("result",),
        "Items of ended batches that became runs (created) or could not (failed).",
        _zeros("batch_items_total", "batches", ("created", "failed")),
    )
    yield Family(
        "batch_duration_seconds",
        histogram,
        (),
        "Time from a batch's creation to the end of its last run.",
        histogram_rows("batch_duration_seconds", "batches"),
    )
    yield Family("schedules", gauge, ("task", "type", "active"), "Schedules, as last polled.", _schedules, "schedules")
    yield Family(
        "schedule_info",
        gauge,
        ("schedule", "task", "cron", "timezone", "type"),
        "1 for each DECLARATIVE schedule, and each IMPERATIVE one while there are at most 50 of those.",
        _schedule_info,
        "schedules",
        Rest.DROPPED,
        lambda limits: limits.schedules,
    )
    yield Family(
        "schedule_next_run_timestamp_seconds",
        gauge,
        ("schedule",),
        "When the active schedule is due next, as the server told at the last poll (nextRun).",
        _next_run,
        "schedules",
        Rest.DROPPED,
        lambda limits: limits.schedules,
    )
    yield Family(
        "schedule_last_run_timestamp_seconds",
        gauge,
        ("schedule",),
        "The last slot for which a run was seen (a scheduled run's createdAt is its slot).",
        _schedule_last("last_run"),
        "runs",
        Rest.DROPPED,
        lambda limits: limits.schedules,
    )
    yield Family(
        "schedule_last_success_timestamp_seconds",
        gauge,
        ("schedule",),
        "The last slot whose run succeeded.",
        _schedule_last("last_success"),
        "runs",
        Rest.DROPPED,
        lambda limits: limits.schedules,
    )
    yield Family(
        "schedule_missed_total",
        counter,
        ("task", "type"),
        "Slots of active schedules without a run 5 minutes later, after our first complete poll.",
        _missed,
    )
    yield Family(
        "deployments_finished_total",
        counter,
        ("status",),
        "Deployments that ended since counting began, each once.",
        _zeros("deployments_finished_total", "deployments", DEPLOYMENT_ENDS),
    )
    yield Family("deployments_open", gauge, (), "Deployments that have not ended.", _deployments_open, "deployments")
    yield Family(
        "deployments_oldest_open_timestamp_seconds",
        gauge,
        (),
        "When the oldest deployment that has not ended was created.",
        _oldest_deployment,
        "deployments",
    )
    yield Family(
        "deployment_last_timestamp_seconds",
        gauge,
        ("status",),
        "When the last deployment with that final status was deployed, or created if it never was.",
        _last_deployment,
        "deployments",
    )
    yield Family(
        "deployment_current_info",
        gauge,
        ("version", "runtime"),
        "1 for the version that new runs use.",
        _current_deployment,
        "deployments",
    )
    yield Family(
        "waitpoint_tokens_open",
        gauge,
        (),
        "Waitpoint tokens that nobody completed yet.",
        _tokens_open,
        "waitpoints",
    )
    yield Family(
        "waitpoint_tokens_oldest_open_timestamp_seconds",
        gauge,
        (),
        "When the oldest waiting token was created.",
        _oldest_token,
        "waitpoints",
    )
    yield Family(
        "waitpoint_tokens_finished_total",
        counter,
        ("status",),
        "Waitpoint tokens that were completed or timed out since counting began.",
        _zeros("waitpoint_tokens_finished_total", "waitpoints", TOKEN_ENDS),
    )


LIVE_FAMILIES: tuple[Family, ...] = tuple(_families())
