"""The dialect of real Trigger.dev servers: cloud and self-hosted v4. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

import msgspec

from triggerdev_exporter.api.calls import Call
from triggerdev_exporter.api.dialects import old_cursors
from triggerdev_exporter.api.dialects.run_error import read_errors, read_run_error
from triggerdev_exporter.api.dialects.wire import (
    Count,
    Envelope,
    Identity,
    clean,
    clean_or_none,
    instant,
    instant_or_none,
    known,
    milliseconds,
    nanousd,
    query_instant,
    read_one,
    read_page,
    records,
    segment,
    traceparent_of,
)
from triggerdev_exporter.api.dialects.wire import decode as decode_wire
from triggerdev_exporter.clock import Instant
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

OPEN_FILTER = "DELAYED,PENDING_VERSION,WAITING_FOR_DEPLOY,QUEUED,DEQUEUED,EXECUTING,REATTEMPTING,FROZEN"
"""Every open run. Filter values map narrowly to database statuses: FROZEN also covers WAITING, REATTEMPTING retries."""

BATCH_STATUSES = frozenset({"PENDING", "PROCESSING", "PARTIAL_FAILED", "COMPLETED", "ABORTED"})
DEPLOYMENT_STATUSES = frozenset(
    {"PENDING", "INSTALLING", "BUILDING", "DEPLOYING", "DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT"}
)
TOKEN_STATUSES = frozenset({"WAITING", "COMPLETED", "TIMED_OUT"})

QUERY = (
    "SELECT run_id, task_identifier, queue, batch_id, root_run_id, parent_run_id, queued_at, dequeued_at, "
    "completed_at, attempt_count, is_finished, project, environment, environment_type, machine, "
    "error.name AS error_name FROM runs "
    "WHERE completed_at > now() - INTERVAL 10 MINUTE OR is_finished = 0 ORDER BY triggered_at DESC LIMIT 10000"
)
"""The one statement that we send. It never changes: the server keeps a history row of each *different* query."""

_QUERY_BODY = msgspec.json.encode({"query": QUERY, "scope": "environment", "period": "7d", "format": "json"})


class _Environment(msgspec.Struct, gc=False):
    id: str | None = None
    name: str | None = None
    type: str | None = None


class Reference(msgspec.Struct, gc=False):
    id: str | None = None


class Relatives(msgspec.Struct, gc=False):
    root: Reference | None = None
    parent: Reference | None = None


class _Kin(msgspec.Struct):
    children: list[Reference] | None = None


class _Parent(msgspec.Struct, rename="camel"):
    related_runs: _Kin | None = None


class _Run(msgspec.Struct, rename="camel", gc=False):
    id: Identity
    status: Identity
    task_identifier: Identity
    created_at: datetime
    updated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    delayed_until: datetime | None = None
    version: str | None = None
    is_test: bool | None = None
    tags: list[str] | None = None
    duration_ms: float | None = None
    cost_in_cents: float | None = None
    base_cost_in_cents: float | None = None
    depth: Count | None = None
    task_kind: str | None = None
    env: _Environment | None = None
    batch_id: str | None = None
    attempt_count: Count | None = None
    related_runs: Relatives | None = None
    region: str | None = None
    ttl: str | None = None


class _RunWithMetadata(_Run, gc=False):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


class _Queue(msgspec.Struct, rename="camel"):
    name: Identity
    queued: Count
    running: Count
    type: str | None = None
    paused: bool | None = None
    concurrency_limit: Count | None = None


class _Processing(msgspec.Struct, rename="camel"):
    errors: list[Reference] | None = None
    completed_at: datetime | None = None


class _Batch(msgspec.Struct, rename="camel"):
    id: Identity
    status: Identity
    created_at: datetime
    updated_at: datetime
    run_count: Count
    runs: list[str]
    processing: _Processing | None = None


class Generator(msgspec.Struct):
    expression: str | None = None


class WireSchedule(msgspec.Struct, rename="camel"):
    """A schedule; the seed's differs only in its list."""

    id: Identity
    task: Identity
    type: str | None = None
    generator: Generator | None = None
    timezone: str | None = None
    active: bool | None = None
    next_run: datetime | None = None
    environments: list[_Environment] | None = None


class _Deployment(msgspec.Struct, rename="camel"):
    id: Identity
    status: Identity
    version: Identity
    created_at: datetime
    deployed_at: datetime | None = None
    runtime: str | None = None


class _WorkerTask(msgspec.Struct):
    slug: Identity


class _Worker(msgspec.Struct):
    tasks: list[_WorkerTask] | None = None


class _DeploymentWorker(msgspec.Struct):
    id: Identity
    worker: _Worker | None = None


class _Token(msgspec.Struct, rename="camel"):
    id: Identity
    status: Identity
    created_at: datetime
    completed_at: datetime | None = None
    timeout_at: datetime | None = None


class _Row(msgspec.Struct):
    run_id: Identity
    task_identifier: str | None = None
    queue: str | None = None
    batch_id: str | None = None
    parent_run_id: str | None = None
    root_run_id: str | None = None
    attempt_count: Count | None = None
    queued_at: str | None = None
    dequeued_at: str | None = None
    is_finished: bool | int | None = None
    project: str | None = None
    environment: str | None = None
    environment_type: str | None = None
    machine: str | None = None
    error_name: object = None
    """Out of JSON that the user's program wrote: anything."""


class _Rows(msgspec.Struct):
    results: list[_Row]


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
        delayed_until=instant_or_none(wire.delayed_until),
        version=clean_or_none(wire.version),
        is_test=wire.is_test is True,
        tags=tuple([clean(tag) for tag in wire.tags]) if wire.tags else (),
        compute_ms=milliseconds(wire.duration_ms),
        cost_nanousd=nanousd(wire.cost_in_cents, wire.base_cost_in_cents),
        depth=wire.depth,
        kind=clean_or_none(wire.task_kind),
        environment_id=None if wire.env is None else clean_or_none(wire.env.id),
        environment=None if wire.env is None else clean_or_none(wire.env.name),
        batch_id=wire.batch_id or None,
        attempts=wire.attempt_count,
        parent_id=reference(relatives.parent) if relatives else None,
        root_id=reference(relatives.root) if relatives else None,
        region=clean_or_none(wire.region),
        ttl=clean_or_none(wire.ttl),
        traceparent=traceparent,
    )


def _run_with_metadata(key: str, wire: _RunWithMetadata) -> Run:
    return _run(wire, traceparent_of(wire.metadata, key))


def reference(wire: Reference | None) -> str | None:
    """The id of a related run."""
    return (wire.id or None) if wire else None


_PARENT = msgspec.json.Decoder(_Parent)


def read_family(read_run: Callable[[bytes], Run], body: bytes) -> Family:
    """The same in both dialects. Children may be many: whoever only wants the run does not decode them."""
    kin = decode_wire("run", _PARENT, body).related_runs
    children = tuple(child.id for child in (kin.children if kin else None) or () if child.id)
    return Family(run=read_run(body), children=children)


def _queue(wire: _Queue) -> Queue:
    of_task = wire.type == "task"
    return Queue(
        name=clean(f"task/{wire.name}" if of_task else wire.name),
        type=wire.type if wire.type in ("task", "custom") else "",
        task=clean(wire.name) if of_task else None,
        queued=wire.queued,
        running=wire.running,
        paused=wire.paused is True,
        concurrency_limit=wire.concurrency_limit,
    )


def _batch(wire: _Batch) -> Batch:
    status = known(wire.status, BATCH_STATUSES)
    processing = wire.processing or _Processing()
    failed = len(processing.errors or ())
    # While items are still being turned into runs, a missing run is one to come. Later it is one that never was, even
    # if the server folded all its errors into one row (queue size limit) or wrote none (the item stream broke off).
    coming = processing.completed_at is None and status in ("PENDING", "PROCESSING", "UNKNOWN")
    if not coming:
        failed = max(failed, wire.run_count - len(wire.runs))
    return Batch(
        id=wire.id,
        status=status,
        created_at=instant(wire.created_at),
        updated_at=instant(wire.updated_at),
        items_created=len(wire.runs),
        items_failed=failed,
    )


def schedule(wire: WireSchedule) -> Schedule:
    """The same in both dialects."""
    environment = wire.environments[0] if wire.environments else None
    return Schedule(
        id=wire.id,
        task=clean(wire.task),
        type=clean(wire.type or "IMPERATIVE").upper(),
        cron=clean(wire.generator.expression or "") if wire.generator else "",
        timezone=clean(wire.timezone or "UTC"),
        active=wire.active is not False,
        next_run=instant_or_none(wire.next_run),
        environment_type=clean_or_none(environment.type) if environment else None,
    )


def _deployment(wire: _Deployment) -> Deployment:
    return Deployment(
        id=wire.id,
        status=known(wire.status, DEPLOYMENT_STATUSES),
        version=clean(wire.version),
        created_at=instant(wire.created_at),
        deployed_at=instant_or_none(wire.deployed_at),
        runtime=clean_or_none(wire.runtime),
    )


def _worker_tasks(wire: _DeploymentWorker) -> tuple[str, ...]:
    tasks = wire.worker.tasks if wire.worker else None
    return tuple([clean(task.slug) for task in tasks]) if tasks else ()


def _token(wire: _Token) -> WaitpointToken:
    return WaitpointToken(
        id=wire.id,
        status=known(wire.status, TOKEN_STATUSES),
        created_at=instant(wire.created_at),
        completed_at=instant_or_none(wire.completed_at),
        timeout_at=instant_or_none(wire.timeout_at),
    )


def _enrichment(wire: _Row) -> Enrichment:
    return Enrichment(
        run_id=wire.run_id,
        task=clean_or_none(wire.task_identifier),
        queue=clean_or_none(wire.queue),
        batch_id=wire.batch_id or None,
        parent_id=wire.parent_run_id or None,
        root_id=wire.root_run_id or None,
        attempts=wire.attempt_count,
        queued_at=query_instant(wire.queued_at),
        dequeued_at=query_instant(wire.dequeued_at),
        is_finished=bool(wire.is_finished),
        project=clean_or_none(wire.project),
        environment=clean_or_none(wire.environment),
        environment_type=clean_or_none(wire.environment_type),
        machine=clean_or_none(wire.machine),
        error_name=clean_or_none(wire.error_name) if isinstance(wire.error_name, str) else None,
    )


_RUNS = msgspec.json.Decoder(list[_Run] | Envelope[_Run])
_RUN = msgspec.json.Decoder(_Run)
_RUNS_WITH_METADATA = msgspec.json.Decoder(list[_RunWithMetadata] | Envelope[_RunWithMetadata])
_RUN_WITH_METADATA = msgspec.json.Decoder(_RunWithMetadata)
_QUEUES = msgspec.json.Decoder(list[_Queue] | Envelope[_Queue])
_BATCH = msgspec.json.Decoder(_Batch)
_SCHEDULES = msgspec.json.Decoder(list[WireSchedule] | Envelope[WireSchedule])
_DEPLOYMENTS = msgspec.json.Decoder(list[_Deployment] | Envelope[_Deployment])
_DEPLOYMENT = msgspec.json.Decoder(_Deployment)
_WORKER = msgspec.json.Decoder(_DeploymentWorker)
_TOKENS = msgspec.json.Decoder(list[_Token] | Envelope[_Token])
_TOKEN = msgspec.json.Decoder(_Token)
_ROWS = msgspec.json.Decoder(_Rows)


def _read_rows(body: bytes) -> tuple[Enrichment, ...]:
    return records("query", _enrichment, decode_wire("query", _ROWS, body).results)


class TriggerDialect:
    """Requests as a real server understands them; `calls.Dialect`.

    With a `metadata_key`, runs tell the traceparent that their metadata holds under it; without, metadata is not read.
    """

    def __init__(self, metadata_key: str | None = None) -> None:
        self._read_runs: Callable[[bytes], Page[Run]] = partial(read_page, "runs", _RUNS, _run)
        self._read_run: Callable[[bytes], Run] = partial(read_one, "run", _RUN, _run)
        if metadata_key is not None:
            record = partial(_run_with_metadata, metadata_key)
            self._read_runs = partial(read_page, "runs", _RUNS_WITH_METADATA, record)
            self._read_run = partial(read_one, "run", _RUN_WITH_METADATA, record)

    @property
    def name(self) -> str:
        return "trigger"

    def runs(self, *, created_from: Instant, only_open: bool = False, cursor: str | None = None) -> Call[Page[Run]]:
        # Always an explicit `from`, and never 0: without one the server looks back seven days only.
        params = [("filter[createdAt][from]", str(max(1, created_from))), ("page[size]", "100")]
        if only_open:
            params.append(("filter[status]", OPEN_FILTER))
        if cursor:
            params.append(old_cursors.params_of(cursor))
        return Call("runs", "/api/v1/runs", lambda body: old_cursors.by_time(self._read_runs(body)), tuple(params))

    def run(self, run_id: str) -> Call[Run]:
        return Call("run", f"/api/v3/runs/{segment(run_id)}", self._read_run)

    def family(self, run_id: str) -> Call[Family]:
        return Call("run", f"/api/v3/runs/{segment(run_id)}", partial(read_family, self._read_run))

    def run_error(self, run_id: str) -> Call[RunError | None]:
        return Call("run", f"/api/v3/runs/{segment(run_id)}", read_run_error)

    def errors(self, *, seconds: int, task: str = "", version: str = "") -> Call[Page[ErrorGroup]] | None:
        # Servers before v4.5.0 have no such list: 404.
        narrowed = {"filter[taskIdentifier]": task, "filter[version]": version}
        params = [("filter[period]", f"{seconds}s"), ("page[size]", "25")]
        params += [(name, value) for name, value in narrowed.items() if value]
        return Call("errors", "/api/v1/errors", read_errors, tuple(params))

    def queues(self, cursor: str | None = None) -> Call[Page[Queue]]:
        return Call("queues", "/api/v1/queues", partial(read_page, "queues", _QUEUES, _queue), numbered(cursor))

    def batch(self, batch_id: str) -> Call[Batch]:
        return Call("batch", f"/api/v2/batches/{segment(batch_id)}", partial(read_one, "batch", _BATCH, _batch))

    def schedules(self, cursor: str | None = None) -> Call[Page[Schedule]]:
        read = partial(read_page, "schedules", _SCHEDULES, schedule)
        return Call("schedules", "/api/v1/schedules", read, numbered(cursor))

    def deployments(self, cursor: str | None = None) -> Call[Page[Deployment]]:
        params = (("page[size]", "100"), *((("page[after]", cursor),) if cursor else ()))
        read = partial(read_page, "deployments", _DEPLOYMENTS, _deployment)
        return Call("deployments", "/api/v1/deployments", read, params)

    def current_deployment(self) -> Call[Deployment] | None:
        read = partial(read_one, "current_deployment", _DEPLOYMENT, _deployment)
        return Call("current_deployment", "/api/v1/deployments/current", read)

    def deployment_tasks(self, deployment_id: str) -> Call[tuple[str, ...]] | None:
        read = partial(read_one, "deployment", _WORKER, _worker_tasks)
        return Call("deployment", f"/api/v1/deployments/{segment(deployment_id)}", read)

    def tokens(
        self, *, created_from: Instant | None = None, only_open: bool = False, cursor: str | None = None
    ) -> Call[Page[WaitpointToken]] | None:
        params = [("page[size]", "100")]
        if only_open:
            params.append(("filter[status]", "WAITING"))
        if created_from is not None:
            params.append(("filter[createdAt][from]", str(max(1, created_from))))
        if cursor:
            params.append(("page[after]", cursor))
        read = partial(read_page, "tokens", _TOKENS, _token)
        return Call("tokens", "/api/v1/waitpoints/tokens", read, tuple(params))

    def token(self, token_id: str) -> Call[WaitpointToken] | None:
        read = partial(read_one, "token", _TOKEN, _token)
        return Call("token", f"/api/v1/waitpoints/tokens/{segment(token_id)}", read)

    def enrichment(self) -> Call[tuple[Enrichment, ...]] | None:
        return Call("query", "/api/v1/query", _read_rows, body=_QUERY_BODY)


def numbered(cursor: str | None) -> tuple[tuple[str, str], ...]:
    """The parameters of a list with numbered pages."""
    return (("perPage", "100"), *((("page", cursor),) if cursor else ()))
