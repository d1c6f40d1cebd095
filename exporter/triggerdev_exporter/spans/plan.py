"""From a row that is due to its spans. Pure: the same row and the same shape give the same spans, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.spans.attributes import NAME_LENGTH, Limits, clean, text
from triggerdev_exporter.spans.context import Context, read_traceparent
from triggerdev_exporter.spans.due import BatchDue, Due, RunDue
from triggerdev_exporter.spans.ids import TraceId, span_id, trace_id
from triggerdev_exporter.spans.resource import SYSTEM
from triggerdev_exporter.spans.span import Event, Kind, Link, Parent, Span, Value
from triggerdev_exporter.spans.times import Times, times_of
from triggerdev_exporter.statuses import RunStatus

Mode = Literal["derived", "metadata", "link"]

MODEL_VERSION = "1"
"""Of the spans, not of the program: it is part of what a back end recognises a span by."""


class _Ending(NamedTuple):
    result: str
    error_type: str | None
    event: str | None = None


#: A status, in the words of tracing. FAILED tells the name of the error instead, where it is known.
_ENDINGS: dict[RunStatus, _Ending] = {
    RunStatus.COMPLETED: _Ending("success", None),
    RunStatus.FAILED: _Ending("failure", "_OTHER"),
    RunStatus.CRASHED: _Ending("error", "crashed"),
    RunStatus.SYSTEM_FAILURE: _Ending("error", "system_failure"),
    RunStatus.TIMED_OUT: _Ending("timeout", "timeout"),
    RunStatus.CANCELED: _Ending("cancellation", None, "cancellation"),
    RunStatus.EXPIRED: _Ending("skip", "expired", "expired"),
}
_SENTENCES: dict[RunStatus, str] = {
    RunStatus.FAILED: "the run failed",
    RunStatus.CRASHED: "the run crashed",
    RunStatus.SYSTEM_FAILURE: "the platform failed",
    RunStatus.TIMED_OUT: "the run took longer than allowed",
    RunStatus.EXPIRED: "the run was not started in time",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How spans of one target look; from the configuration."""

    children: Literal["none", "queue"] = "queue"
    mode: Mode = "derived"
    tags: bool = False
    dashboard: str = ""
    """Origin of the pages that show runs to people."""
    limits: Limits = field(default_factory=Limits)


def tree_of(due: Due, mode: Mode = "derived") -> tuple[TraceId, Context | None]:
    """The trace of the tree that the row belongs to, and the context that decides it, if it comes from outside."""
    if isinstance(due, RunDue) and mode == "metadata":
        given = read_traceparent(due.traceparent or due.root_traceparent or "")
        if given is not None:
            return given.trace_id, given
    return trace_id(due.root if isinstance(due, RunDue) else due.id), None


def trace_of(due: Due, mode: Mode = "derived") -> TraceId:
    """The trace that its spans are in."""
    return trace_id(due.id) if isinstance(due, RunDue) and due.is_cut else tree_of(due, mode)[0]


def plan(due: Due, shape: Shape) -> tuple[Span, ...]:
    """The spans of `due`, its own first."""
    return _run(due, shape) if isinstance(due, RunDue) else (_batch(due, shape),)


# What the ledger asks of each run that ends, without the spans themselves: those cost ten times as much.


def how_many(due: Due, shape: Shape) -> int:
    """How many spans `plan` gives."""
    if not isinstance(due, RunDue) or shape.children == "none":
        return 1
    times = times_of(due)
    return 1 + (times.delayed is not None) + (0 if times.started is None else 2)


def _run(due: RunDue, shape: Shape) -> tuple[Span, ...]:
    tree, given = tree_of(due, shape.mode)
    times = times_of(due)
    ending = _ENDINGS[due.status]
    error_type = due.error_name if due.status is RunStatus.FAILED and due.error_name else ending.error_type
    attributes, dropped = clean(_attributes(due, times, error_type, shape), shape.limits)
    ours = Span(
        name=text(f"run {due.task}", NAME_LENGTH),
        kind=Kind.CONSUMER,
        trace_id=trace_of(due, shape.mode),
        span_id=span_id(due.id),
        parent=_parent(due, given),
        start=times.created,
        end=times.finished,
        attributes=attributes,
        dropped_attributes=dropped,
        is_error=error_type is not None,
        description=_SENTENCES.get(due.status, ""),
        links=_links(due, shape, tree),
        events=(Event(ending.event, times.finished),)[: shape.limits.events] if ending.event else (),
    )
    below = _children(due, shape, ours, times, error_type) if shape.children == "queue" else ()
    return (ours, *below)


def _parent(due: RunDue, given: Context | None) -> Parent | None:
    if due.is_cut:
        return None
    if due.parent_id is not None and not due.orphaned and not (given is not None and due.traceparent):
        return Parent(span_id(due.parent_id), True)
    return None if given is None else Parent(given.span_id, True)


def _children(due: RunDue, shape: Shape, run: Span, times: Times, error_type: str | None) -> tuple[Span, ...]:
    def child(part: str, name: str, start: Instant, end: Instant, more: Mapping[str, Value | None]) -> Span:
        about: dict[str, Value | None] = {"trigger.run.id": due.id, "trigger.task.id": due.task}
        attributes, dropped = clean({**about, **more}, shape.limits)
        return Span(
            name=text(name, NAME_LENGTH),
            kind=Kind.INTERNAL,
            trace_id=run.trace_id,
            span_id=span_id(due.id, part),
            parent=Parent(run.span_id, False),
            start=start,
            end=end,
            attributes=attributes,
            dropped_attributes=dropped,
        )

    found = []
    if times.delayed is not None:
        found.append(child("delay", "delay", times.created, times.delayed, {}))
    if times.started is not None:
        queue = {"trigger.queue.name": due.queue}
        found.append(
            child("queue", f"queue {due.queue}" if due.queue else "queue", times.queued, times.dequeued, queue)
        )
        execution = child("execute", f"execute {due.task}", times.started, times.finished, {"error.type": error_type})
        found.append(execution._replace(is_error=run.is_error, description=run.description))
    return tuple(found)


def _links(due: RunDue, shape: Shape, tree: TraceId) -> tuple[Link, ...]:
    found = []
    if due.is_cut:
        found.append(Link(tree, span_id(due.root), {}))
    if due.batch_id:
        attributes, _ = clean({"trigger.batch.id": due.batch_id}, shape.limits, shape.limits.link_attributes)
        found.append(Link(trace_id(due.batch_id), span_id(due.batch_id), attributes))
    if shape.mode == "link" and (given := read_traceparent(due.traceparent or "")) is not None:
        found.append(Link(given.trace_id, given.span_id, {}))
    return tuple(found[: shape.limits.links])


def _attributes(due: RunDue, times: Times, error_type: str | None, shape: Shape) -> dict[str, Value | None]:
    waited = None if times.started is None else times.dequeued - times.queued
    return {
        # The words of the user's own spans, so that one query finds both.
        "ctx.run.id": due.id,
        "ctx.task.id": due.task,
        "error.type": error_type,
        "messaging.system": SYSTEM,
        "messaging.operation.type": "process",
        "messaging.operation.name": "run",
        "messaging.destination.name": due.queue,
        "messaging.message.id": due.id,
        "trigger.run.id": due.id,
        "trigger.run.status": due.status.value,
        "trigger.run.result": _ENDINGS[due.status].result,
        "trigger.run.root_id": due.root,
        "trigger.run.parent_id": due.parent_id,
        "trigger.run.parent_unknown": True if due.orphaned else None,
        "trigger.run.trace_full": True if due.is_cut else None,
        "trigger.run.depth": due.depth,
        "trigger.run.attempt_count": due.attempts,
        "trigger.run.is_test": due.is_test,
        "trigger.run.kind": due.kind,
        "trigger.run.ttl": due.ttl,
        "trigger.run.url": _url(due, shape),
        "trigger.task.id": due.task,
        "trigger.task.version": due.version,
        "trigger.queue.name": due.queue,
        "trigger.queue.wait_ms": waited,
        "trigger.batch.id": due.batch_id,
        "trigger.machine.preset": due.machine,
        "trigger.region": due.region,
        "trigger.usage.duration_ms": due.compute_ms,
        "trigger.usage.cost_usd": None if due.cost_nanousd is None else due.cost_nanousd / 1e9,
        "trigger.run.tags": due.tags if shape.tags else None,
    }


def _url(due: RunDue, shape: Shape) -> str | None:
    project = due.origin.project
    return f"{shape.dashboard}/projects/v3/{project}/runs/{due.id}" if shape.dashboard and project else None


def _batch(due: BatchDue, shape: Shape) -> Span:
    attributes, dropped = clean(
        {
            "messaging.system": SYSTEM,
            "messaging.operation.type": "send",
            "messaging.operation.name": "batchTrigger",
            "messaging.batch.message_count": due.items_created + due.items_failed,
            "trigger.batch.id": due.id,
            "trigger.batch.status": due.status,
            "trigger.batch.items_failed": due.items_failed,
            "error.type": "aborted" if due.status == "ABORTED" else None,
        },
        shape.limits,
    )
    return Span(
        name="batchTrigger",
        kind=Kind.PRODUCER,
        trace_id=trace_id(due.id),
        span_id=span_id(due.id),
        parent=None,
        start=due.created_at,
        end=max(due.created_at, due.finished_at),
        attributes=attributes,
        dropped_attributes=dropped,
        is_error=due.status == "ABORTED",
        description="the batch was aborted" if due.status == "ABORTED" else "",
    )
