"""The dialect of the OpenAPI document that this project was started from. Pure.

Lists are bare arrays (an envelope is read too), deployments carry their tasks, and there is no waitpoint list, no TRQL
and no environment. Whatever its schema leaves out and a record must have makes the page unreadable.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

import msgspec

from triggerdev_exporter.api.calls import Call
from triggerdev_exporter.api.dialects.run_error import read_run_error
from triggerdev_exporter.api.dialects.trigger import (
    DEPLOYMENT_STATUSES,
    Relatives,
    WireSchedule,
    numbered,
    read_family,
    reference,
    schedule,
)
from triggerdev_exporter.api.dialects.wire import (
    Count,
    Envelope,
    Identity,
    clean,
    clean_or_none,
    instant,
    instant_or_none,
    known,
    read_one,
    read_page,
    segment,
    traceparent_of,
)
from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.records import (
    Batch,
    Deployment,
    Enrichment,
    ErrorGroup,
    Family,
    Page,
    Queue,
    Run,
    RunError,
    Schedule,
    WaitpointToken,
)
from triggerdev_exporter.statuses import read_status

OPEN_FILTER: tuple[str, ...] = (
    "QUEUED",
    "EXECUTING",
    "REATTEMPTING",
    "WAITING_FOR_DEPLOY",
    "WAITING_TO_RESUME",
    "DELAYED",
)
"""Every open status of the seed; sent as repeated keys."""

BATCH_STATUSES = frozenset({"PENDING", "PROCESSING", "COMPLETED", "FAILED"})


class _Attempt(msgspec.Struct, gc=False):
    """Only counted."""


class _Run(msgspec.Struct, rename="camel", gc=False):
    id: Identity
    status: Identity
    task_identifier: Identity
    created_at: datetime
    updated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: str | None = None
    is_test: bool | None = None
    tags: list[str] | None = None
    related_runs: Relatives | None = None
    attempts: list[_Attempt] | None = None


class _RunWithMetadata(_Run, gc=False):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


class _Queue(msgspec.Struct, rename="camel"):
    name: Identity
    depth: Count
    current_concurrency: Count
    paused: bool | None = None
    concurrency_limit: Count | None = None


class _Batch(msgspec.Struct, rename="camel"):
    id: Identity
    status: Identity
    created_at: datetime
    total_count: Count
    failed_count: Count | None = None
    completed_at: datetime | None = None


class _Task(msgspec.Struct):
    identifier: Identity


class _Deployment(msgspec.Struct, rename="camel"):
    id: Identity
    status: Identity
    version: Identity
    created_at: datetime
    deployed_at: datetime | None = None
    tasks: list[_Task] | None = None


def _run(wire: _Run, traceparent: str | None = None) -> Run:
    relatives = wire.related_runs
    return Run(
        id=wire.id,
        task=clean(wire.task_identifier),
        status=read_status(wire.status),
        created_at=instant(wire.created_at),
        updated_at=instant_or_none(wire.updated_at),
        started_at=instant_or_none(wire.started_at),
        finished_at=instant_or_none(wire.finished_at),
        version=clean_or_none(wire.version),
        is_test=wire.is_test is True,
        tags=tuple([clean(tag) for tag in wire.tags]) if wire.tags else (),
        # It tells no depth, but whether there is a parent.
        depth=0 if relatives is not None and reference(relatives.parent) is None else None,
        attempts=None if wire.attempts is None else len(wire.attempts),
        parent_id=reference(relatives.parent) if relatives else None,
        root_id=reference(relatives.root) if relatives else None,
        traceparent=traceparent,
    )


def _run_with_metadata(key: str, wire: _RunWithMetadata) -> Run:
    return _run(wire, traceparent_of(wire.metadata, key))


def _queue(wire: _Queue) -> Queue:
    of_task = wire.name.startswith("task/")
    return Queue(
        name=clean(wire.name),
        type="task" if of_task else "",
        task=clean(wire.name.removeprefix("task/")) if of_task else None,
        queued=wire.depth,
        running=wire.current_concurrency,
        paused=wire.paused is True,
        concurrency_limit=wire.concurrency_limit,
    )


def _batch(wire: _Batch) -> Batch:
    status = known(wire.status, BATCH_STATUSES)
    created = instant(wire.created_at)
    failed = min(wire.failed_count or 0, wire.total_count)
    return Batch(
        id=wire.id,
        status="ABORTED" if status == "FAILED" else status,
        created_at=created,
        updated_at=created if wire.completed_at is None else instant(wire.completed_at),
        items_created=wire.total_count - failed,
        items_failed=failed,
    )


def _deployment(wire: _Deployment) -> Deployment:
    return Deployment(
        id=wire.id,
        status=known(wire.status, DEPLOYMENT_STATUSES),
        version=clean(wire.version),
        created_at=instant(wire.created_at),
        deployed_at=instant_or_none(wire.deployed_at),
        tasks=None if wire.tasks is None else tuple([clean(task.identifier) for task in wire.tasks]),
    )


_RUNS = msgspec.json.Decoder(list[_Run] | Envelope[_Run])
_RUN = msgspec.json.Decoder(_Run)
_RUNS_WITH_METADATA = msgspec.json.Decoder(list[_RunWithMetadata] | Envelope[_RunWithMetadata])
_RUN_WITH_METADATA = msgspec.json.Decoder(_RunWithMetadata)
_QUEUES = msgspec.json.Decoder(list[_Queue] | Envelope[_Queue])
_BATCH = msgspec.json.Decoder(_Batch)
_SCHEDULES = msgspec.json.Decoder(list[WireSchedule] | Envelope[WireSchedule])
_DEPLOYMENTS = msgspec.json.Decoder(list[_Deployment] | Envelope[_Deployment])


class SeedDialect:
    """Requests as the document spells them; `calls.Dialect`. `metadata_key`: as in `TriggerDialect`."""

    def __init__(self, metadata_key: str | None = None) -> None:
        self._read_runs: Callable[[bytes], Page[Run]] = partial(read_page, "runs", _RUNS, _run)
        self._read_run: Callable[[bytes], Run] = partial(read_one, "run", _RUN, _run)
        if metadata_key is not None:
            record = partial(_run_with_metadata, metadata_key)
            self._read_runs = partial(read_page, "runs", _RUNS_WITH_METADATA, record)
            self._read_run = partial(read_one, "run", _RUN_WITH_METADATA, record)

    @property
    def name(self) -> str:
        return "seed"

    def runs(self, *, created_from: Instant, only_open: bool = False, cursor: str | None = None) -> Call[Page[Run]]:
        params = [("filter[createdAt.from]", iso(max(1, created_from))), ("page[size]", "100")]
        if only_open:
            params.extend(("filter[status]", status) for status in OPEN_FILTER)
        if cursor:
            params.append(("page[after]", cursor))
        return Call("runs", "/api/v1/runs", self._read_runs, tuple(params))

    def run(self, run_id: str) -> Call[Run]:
        return Call("run", f"/api/v1/runs/{segment(run_id)}", self._read_run)

    def family(self, run_id: str) -> Call[Family]:
        return Call("run", f"/api/v1/runs/{segment(run_id)}", partial(read_family, self._read_run))

    def run_error(self, run_id: str) -> Call[RunError | None]:
        return Call("run", f"/api/v1/runs/{segment(run_id)}", read_run_error)

    def errors(self, *, seconds: int, task: str = "", version: str = "") -> Call[Page[ErrorGroup]] | None:
        return None

    def queues(self, cursor: str | None = None) -> Call[Page[Queue]]:
        return Call("queues", "/api/v1/queues", partial(read_page, "queues", _QUEUES, _queue), numbered(cursor))

    def batch(self, batch_id: str) -> Call[Batch]:
        return Call("batch", f"/api/v1/batches/{segment(batch_id)}", partial(read_one, "batch", _BATCH, _batch))

    def schedules(self, cursor: str | None = None) -> Call[Page[Schedule]]:
        read = partial(read_page, "schedules", _SCHEDULES, schedule)
        return Call("schedules", "/api/v1/schedules", read, numbered(cursor))

    def deployments(self, cursor: str | None = None) -> Call[Page[Deployment]]:
        params = (("page[size]", "100"), *((("page[after]", cursor),) if cursor else ()))
        read = partial(read_page, "deployments", _DEPLOYMENTS, _deployment)
        return Call("deployments", "/api/v1/deployments", read, params)

    def current_deployment(self) -> Call[Deployment] | None:
        return None

    def deployment_tasks(self, deployment_id: str) -> Call[tuple[str, ...]] | None:
        return None

    def tokens(
        self, *, created_from: Instant | None = None, only_open: bool = False, cursor: str | None = None
    ) -> Call[Page[WaitpointToken]] | None:
        return None

    def token(self, token_id: str) -> Call[WaitpointToken] | None:
        return None

    def enrichment(self) -> Call[tuple[Enrichment, ...]] | None:
        return None
