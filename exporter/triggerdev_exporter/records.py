"""What the API tells, once it is decoded: frozen records, the same for every dialect.

No dict and no sentinel travels past the decoder. Instants are Unix milliseconds (`clock.Instant`), durations whole
milliseconds, money whole nano-dollars: sums of integers come out the same in any order. ``None`` means that the answer
did not say. A record holds no payload and no output, of metadata at most one traceparent, and only `RunError` an error
text: it is asked for beside alerts, and never kept on disk.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.statuses import RunStatus

R = TypeVar("R")


class Page(msgspec.Struct, Generic[R], frozen=True):
    """One page of a list. `next` is the opaque cursor of the following page, ``None`` at the end."""

    items: tuple[R, ...]
    next: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One run of a task, as a list or a retrieve tells it."""

    id: str
    task: str
    status: RunStatus
    created_at: Instant
    updated_at: Instant | None = None
    started_at: Instant | None = None
    """When it was dequeued (list) or began to execute (retrieve)."""
    finished_at: Instant | None = None
    delayed_until: Instant | None = None
    version: str | None = None
    is_test: bool = False
    tags: tuple[str, ...] = ()
    compute_ms: int | None = None
    """Compute time, waits excluded; not wall time."""
    cost_nanousd: int | None = None
    """Compute and base cost together, in 1e-9 US dollars; ``None`` where the dialect does not tell."""
    depth: int | None = None
    kind: str | None = None
    """``STANDARD``, ``SCHEDULED``, ``AGENT``, …; ``None`` before server v4.5.0."""
    environment_id: str | None = None
    environment: str | None = None
    batch_id: str | None = None
    attempts: int | None = None
    parent_id: str | None = None
    root_id: str | None = None
    region: str | None = None
    ttl: str | None = None
    """How long it may wait to be started, as it was written: ``10m``."""
    traceparent: str | None = None
    """From its metadata, and only where the configuration names a key of it and a valid one stands there."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A run with the ids of its children, as a retrieve tells them."""

    run: Run
    children: tuple[str, ...]


class RunError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run failed, as it told. Texts are cut to `run_error.ERROR_CHARACTERS`."""

    name: str
    message: str


class ErrorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of one task that the server takes for the same, and how often it counted them in the time asked for."""

    task: str
    error: RunError
    count: int


class Enrichment(msgspec.Struct, frozen=True, kw_only=True):
    """What TRQL adds to a run that the ledger already knows. It is never a reason to count a run."""

    run_id: str
    task: str | None = None
    queue: str | None = None
    batch_id: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    attempts: int | None = None
    queued_at: Instant | None = None
    dequeued_at: Instant | None = None
    is_finished: bool = False
    project: str | None = None
    environment: str | None = None
    environment_type: str | None = None
    machine: str | None = None
    """Its preset: ``small-1x``."""
    error_name: str | None = None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue as it is now. `name` is the raw name: ``task/<id>`` for a task's own queue, else the custom name."""

    name: str
    type: str
    """``task``, ``custom``, or ``""`` where the dialect does not tell."""
    task: str | None
    queued: int
    running: int
    paused: bool
    concurrency_limit: int | None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch. COMPLETED means that every run ended, and says nothing about how."""

    id: str
    status: str
    """PENDING, PROCESSING, PARTIAL_FAILED, COMPLETED, ABORTED, or UNKNOWN (open)."""
    created_at: Instant
    updated_at: Instant
    items_created: int
    items_failed: int
    """Items that could not be turned into runs."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A cron schedule of one task."""

    id: str
    task: str
    type: str
    """DECLARATIVE (in code) or IMPERATIVE (made by the user's program, often one a customer)."""
    cron: str
    timezone: str
    active: bool
    next_run: Instant | None
    environment_type: str | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment. `tasks` is ``None`` where the answer holds no task list."""

    id: str
    status: str
    """PENDING, INSTALLING, BUILDING, DEPLOYING, DEPLOYED, FAILED, CANCELED, TIMED_OUT, or UNKNOWN (open)."""
    version: str
    created_at: Instant
    deployed_at: Instant | None = None
    runtime: str | None = None
    tasks: tuple[str, ...] | None = None


class WaitpointToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that somebody outside must complete. Its URL completes it, so the URL is never read."""

    id: str
    status: str
    """WAITING, COMPLETED, TIMED_OUT, or UNKNOWN (open)."""
    created_at: Instant
    completed_at: Instant | None = None
    timeout_at: Instant | None = None
