"""What the end of a run or batch, and what is told of it later, does to the rows of spans. Pure.

A row is written in the transaction that counts the end. It is *sealed* once what it tells cannot get better: then its
spans are decided, and it is sent as it is, however often. Only sealed rows are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.draft import Draft
from triggerdev_exporter.ledger.exemplars import Exemplar
from triggerdev_exporter.ledger.facts import EndedRoot, Kind
from triggerdev_exporter.ledger.span_rows import SpanRow
from triggerdev_exporter.records import Batch, Enrichment, Run
from triggerdev_exporter.spans.due import BatchDue, Due, Origin, RunDue
from triggerdev_exporter.spans.ids import span_id
from triggerdev_exporter.spans.plan import how_many, trace_of
from triggerdev_exporter.spans.policy import Policy
from triggerdev_exporter.spans.times import times_reversed
from triggerdev_exporter.statuses import OUTCOMES

MAX_ROOTS = 10_000
"""Runs that ended whose traceparent is kept for children that go on."""


def run_ends(
    draft: Draft, run: Run, *, started_at: Instant | None, finished_at: Instant, is_apart: bool, now: Instant
) -> None:
    """A run ended that counts, and was counted. Call it while the draft still holds the open run.

    `is_apart`: a test run, in no histogram.
    """
    policy = draft.spans
    if policy is None:
        return
    before = draft.run(run.id)
    due = RunDue(
        id=run.id,
        task=run.task,
        status=run.status,
        created_at=run.created_at,
        finished_at=finished_at,
        started_at=started_at,
        delayed_until=run.delayed_until,
        version=run.version,
        is_test=run.is_test,
        tags=run.tags if policy.shape.tags else (),
        compute_ms=run.compute_ms,
        cost_nanousd=run.cost_nanousd,
        depth=run.depth,
        kind=run.kind,
        attempts=run.attempts,
        queue=None if before is None else before.queue,
        batch_id=run.batch_id or (None if before is None else before.batch_id),
        parent_id=run.parent_id or (None if before is None else before.parent_id),
        root_id=run.root_id or (None if before is None else before.root_id),
        traceparent=run.traceparent,
        region=run.region,
        ttl=run.ttl,
        is_apart=is_apart,
    )
    if policy.shape.mode == "metadata" and run.traceparent and not run.depth:
        _remember_root(draft, run.id, run.traceparent)
    if finished_at < now - policy.max_age:
        _drop(draft, policy, due, "too_old")
    elif due.depth == 0 and not policy.takes(due):
        _drop(draft, policy, due, "sampling")
    elif due.knows_family and not draft.enriched:
        _seal(draft, policy, SpanRow(due, now), now)
    else:
        draft.put_span(SpanRow(due, now))


def batch_ends(draft: Draft, batch: Batch, *, now: Instant) -> None:
    """A batch ended that counts."""
    policy = draft.spans
    if policy is None:
        return
    due = BatchDue(
        id=batch.id,
        status=batch.status,
        created_at=batch.created_at,
        finished_at=batch.updated_at,
        items_created=batch.items_created,
        items_failed=batch.items_failed,
    )
    if due.finished_at < now - policy.max_age:
        _drop(draft, policy, due, "too_old")
    else:
        _seal(draft, policy, SpanRow(due, now), now)


def enriched(draft: Draft, told: Enrichment, *, now: Instant) -> None:
    """TRQL told something of a run that ended, or will."""
    policy = draft.spans
    if policy is None:
        return
    row = draft.span(told.run_id)
    if row is None:
        _remember_family(draft, told)
    elif told.is_finished and isinstance(row.due, RunDue) and not row.sealed:
        due = row.due
        changed = msgspec.structs.replace(
            due,
            queue=told.queue or due.queue,
            batch_id=told.batch_id or due.batch_id,
            parent_id=told.parent_id or due.parent_id,
            root_id=told.root_id or due.root_id,
            # Whose parent TRQL does not know has none.
            depth=0 if due.depth is None and not told.parent_id else due.depth,
            attempts=told.attempts if due.attempts is None and due.started_at is not None else due.attempts,
            queued_at=told.queued_at,
            dequeued_at=told.dequeued_at,
            machine=told.machine,
            error_name=told.error_name,
        )
        if changed.knows_family:
            _seal(draft, policy, row._replace(due=changed), now)
        else:
            draft.put_span(row._replace(due=changed))


def _remember_family(draft: Draft, told: Enrichment) -> None:
    run = draft.run(told.run_id)
    if run is not None and told.parent_id and (run.parent_id, run.root_id) != (told.parent_id, told.root_id):
        known = msgspec.structs.replace(run, parent_id=told.parent_id, root_id=told.root_id)
        draft.put(Kind.RUN, told.run_id, known)


def retrieved(draft: Draft, run: Run, *, now: Instant) -> None:
    """A run that ended was asked for once more, for its relatives: it told them, or has none."""
    policy, row = draft.spans, draft.span(run.id)
    if policy is None or row is None or row.sealed or not isinstance(row.due, RunDue):
        return
    due = msgspec.structs.replace(
        row.due,
        parent_id=run.parent_id or row.due.parent_id,
        root_id=run.root_id or row.due.root_id,
        batch_id=run.batch_id or row.due.batch_id,
        depth=0 if row.due.depth is None and not run.parent_id else row.due.depth,
        attempts=row.due.attempts if run.attempts is None or row.due.started_at is None else run.attempts,
    )
    _seal(draft, policy, row._replace(due=due), now)


def seal_as_they_are(draft: Draft, keys: Iterable[str], *, now: Instant) -> None:
    """Nobody will tell more of these."""
    policy = draft.spans
    for key in keys:
        row = draft.span(key)
        if policy is not None and row is not None and not row.sealed:
            _seal(draft, policy, row, now)


def give_up(draft: Draft, rows: Mapping[str, Due], reason: str) -> None:
    """These are not exported; `reason` is one of `policy.DROP_REASONS`."""
    policy = draft.spans
    for key, due in rows.items():
        draft.drop_span(key)
        if policy is not None:
            _drop(draft, policy, due, reason)


def accepted(draft: Draft, keys: Iterable[str], *, spans: int, rejected: int) -> None:
    """A collector took these rows, of whose `spans` it refused some."""
    for key in keys:
        draft.drop_span(key)
    refused = min(rejected, spans)
    draft.count("spans_exported_total", (), spans - refused)
    if refused:
        draft.count("spans_dropped_total", ("rejected",), refused)


def _seal(draft: Draft, policy: Policy, row: SpanRow, now: Instant) -> None:
    due = _as_sealed(draft, policy, row.due)
    if not policy.takes(due):
        draft.drop_span(due.id)
        _drop(draft, policy, due, "sampling")
        return
    for reason, applies in (
        ("parent_unknown", isinstance(due, RunDue) and due.orphaned),
        ("trace_full", isinstance(due, RunDue) and due.is_cut),
        ("times_reversed", times_reversed(due)),
    ):
        if applies:
            draft.count("spans_amended_total", (reason,))
    draft.put_span(SpanRow(due, row.since, sealed=True))
    if isinstance(due, RunDue) and due.started_at is not None and not due.is_apart:
        _exemplify(draft, policy, due, due.started_at, now)


def _as_sealed(draft: Draft, policy: Policy, due: Due) -> Due:
    """`due`, with what only the ledger knows, at this instant."""
    if isinstance(due, BatchDue):
        return msgspec.structs.replace(due, origin=_origin(draft))
    return msgspec.structs.replace(
        due,
        origin=_origin(draft),
        orphaned=not due.knows_family,
        is_cut=_is_cut(draft, policy, due),
        root_traceparent=None if due.traceparent or due.root_id is None else _traceparent(draft, due.root_id),
    )


def _is_cut(draft: Draft, policy: Policy, due: RunDue) -> bool:
    """Whether the trace of its tree is full; if not, it is fuller from now on."""
    joins_another = policy.shape.mode == "metadata" and due.traceparent is not None
    if due.root_id is None or due.parent_id is None or joins_another:
        # A root is never cut: those that are lead to it.
        return False
    spans = how_many(due, policy.shape)
    if draft.tree_spans(due.root_id) + spans > policy.max_spans_per_trace:
        return True
    draft.grow_tree(due.root_id, spans)
    return False


def _exemplify(draft: Draft, policy: Policy, due: RunDue, started_at: Instant, now: Instant) -> None:
    trace, span = trace_of(due, policy.shape.mode), span_id(due.id)
    waited = max(0, started_at - max(due.created_at, due.delayed_until or 0))
    lasted = max(0, due.finished_at - started_at)
    for family, labels, value in (
        ("run_wait_seconds", (due.task,), waited),
        ("run_duration_seconds", (due.task, OUTCOMES[due.status].value), lasted),
    ):
        draft.exemplify(family, labels, Exemplar(due.id, value, now, trace, span))


def _drop(draft: Draft, policy: Policy, due: Due, reason: str) -> None:
    draft.count("spans_dropped_total", (reason,), how_many(due, policy.shape))


def _origin(draft: Draft) -> Origin:
    known = draft.coverage()
    return Origin(project=known.project, environment=known.environment, environment_type=known.environment_type)


def _remember_root(draft: Draft, run_id: str, traceparent: str) -> None:
    draft.put(Kind.ROOT, run_id, EndedRoot(traceparent=traceparent))
    # One in, two out: a limit that was lowered is reached soon.
    for _ in range(2):
        if draft.how_many(Kind.ROOT) >= MAX_ROOTS and (oldest := draft.oldest(Kind.ROOT)) is not None:
            draft.drop(Kind.ROOT, oldest)


def _traceparent(draft: Draft, root_id: str) -> str | None:
    root = draft.run(root_id) or draft.get(Kind.ROOT, root_id, EndedRoot)
    return None if root is None else root.traceparent
