"""What exists in the simulated environment: plain mutable rows, as a database would hold them.

Statuses of runs are database spellings (`spellings.py` says how each dialect tells them). Only `World` changes a row
once it is inserted, so that its indexes and counts stay true.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from triggerdev_exporter.clock import Instant

#: Database statuses of a run that has ended.
FINAL = frozenset(
    {
        "COMPLETED_SUCCESSFULLY",
        "COMPLETED_WITH_ERRORS",
        "INTERRUPTED",
        "CRASHED",
        "SYSTEM_FAILURE",
        "TIMED_OUT",
        "CANCELED",
        "EXPIRED",
    }
)
#: Database statuses that take a slot of their queue.
RUNNING = frozenset({"DEQUEUED", "EXECUTING", "RETRYING_AFTER_FAILURE"})
#: The one database status that stands in a queue.
QUEUED = "PENDING"


@dataclass(slots=True)
class Attempt:
    """One try of a run. Only the seed dialect tells of it."""

    id: str
    status: str
    started_at: Instant
    completed_at: Instant | None = None


@dataclass(slots=True)
class Run:
    """One run. `visible_at` is when its row exists: later than `created_at` when late, earlier for a schedule's run."""

    key: str
    """Internal id; the public id is ``run_`` + key."""
    task: str
    queue: str
    created_at: Instant
    visible_at: Instant
    status: str = QUEUED
    updated_at: Instant = 0
    queued_at: Instant | None = None
    started_at: Instant | None = None
    """When it was dequeued: what both list and retrieve show."""
    executed_at: Instant | None = None
    completed_at: Instant | None = None
    """Not set for a run that was cancelled before it began; the list then tells `updated_at`."""
    delayed_until: Instant | None = None
    expired_at: Instant | None = None
    ttl: str | None = None
    version: str | None = None
    is_test: bool = False
    tags: tuple[str, ...] = ()
    compute_ms: int = 0
    cost_nanousd: int = 0
    base_cost_nanousd: int = 0
    depth: int = 0
    kind: str = "STANDARD"
    region: str = "eu-central-1"
    machine: str = "small-1x"
    batch_id: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    schedule_id: str | None = None
    bulk_id: str | None = None
    idempotency_key: str | None = None
    attempts: int = 0
    attempt_log: list[Attempt] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    error: dict[str, str] | None = None
    payload: Any = None
    output: Any = None
    metadata: dict[str, Any] | None = None
    history: list[tuple[Instant, str]] = field(default_factory=list)
    """When it took which status, oldest first."""
    plan: int = 0
    """Steps planned under another number are void."""

    @property
    def id(self) -> str:
        return "run_" + self.key

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def finished_at(self) -> Instant | None:
        """As the list tells it."""
        return (self.completed_at or self.updated_at) if self.status in FINAL else None

    def status_at(self, at: Instant) -> str:
        """The status it had at `at` (its first one before that)."""
        for since, status in reversed(self.history):
            if since <= at:
                return status
        return self.history[0][1] if self.history else self.status


@dataclass(slots=True)
class Queue:
    """A queue by its raw name. Counts are kept by the world; `extra_*` lets a test claim runs that do not exist."""

    name: str
    id: str
    limit: int | None = None
    paused: bool = False
    queued: int = 0
    running: int = 0
    extra_queued: int = 0
    extra_running: int = 0
    waiting_line: deque[str] = field(default_factory=deque)
    """Keys of the runs that the life engine will dequeue, oldest first."""

    @property
    def type(self) -> str:
        return "task" if self.name.startswith("task/") else "custom"

    @property
    def short_name(self) -> str:
        return self.name.removeprefix("task/")


@dataclass(slots=True)
class Batch:
    """A batch of runs. Its status is one of PENDING PROCESSING PARTIAL_FAILED COMPLETED ABORTED."""

    id: str
    status: str
    created_at: Instant
    updated_at: Instant
    items_created: int = 0
    items_failed: int = 0
    task: str = ""
    run_keys: list[str] = field(default_factory=list)
    open_runs: int = 0
    was_partial: bool = False
    automatic: bool = False
    """Ends by itself once its runs have ended."""
    idempotency_key: str | None = None


@dataclass(slots=True)
class Schedule:
    """A cron schedule. `broken` ones look active and never fire."""

    id: str
    task: str
    cron: str
    timezone: str
    type: str
    created_at: Instant
    active_since: list[tuple[Instant, bool]] = field(default_factory=list)
    broken: bool = False
    automatic: bool = True
    """Fires by itself while the world advances."""
    deduplication_key: str | None = None
    external_id: str | None = None
    run_keys: list[str] = field(default_factory=list)

    @property
    def active(self) -> bool:
        return self.active_since[-1][1]

    def active_at(self, at: Instant) -> bool:
        answer = False
        for since, active in self.active_since:
            if since <= at:
                answer = active
        return answer


@dataclass(slots=True)
class Deployment:
    """A deployment: PENDING INSTALLING BUILDING DEPLOYING, then DEPLOYED FAILED CANCELED TIMED_OUT."""

    id: str
    version: str
    short_code: str
    status: str
    created_at: Instant
    deployed_at: Instant | None = None
    ended_at: Instant | None = None
    runtime: str | None = "node-22"
    runtime_version: str | None = None
    tasks: tuple[str, ...] = ()
    git: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    canceled_reason: str | None = None


DEPLOYMENT_FINAL = frozenset({"DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT"})


@dataclass(slots=True)
class Token:
    """A waitpoint token: WAITING, then COMPLETED or TIMED_OUT."""

    key: str
    status: str
    created_at: Instant
    timeout_at: Instant | None = None
    completed_at: Instant | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    output: str | None = None

    @property
    def id(self) -> str:
        return "waitpoint_" + self.key


def error_of(status: str, name: str = "Error", message: str = "upstream said 502") -> dict[str, str]:
    """The error a run of that final status shows."""
    internal = {
        "CRASHED": "TASK_RUN_CRASHED",
        "SYSTEM_FAILURE": "COULD_NOT_IMPORT_TASK",
        "TIMED_OUT": "MAX_DURATION_EXCEEDED",
    }
    if status in internal:
        return {"message": f"trigger.dev internal error ({internal[status]})"}
    if status == "CANCELED":
        return {"message": "Canceled by user"}
    if status == "EXPIRED":
        return {"message": "Run expired because the TTL was reached"}
    return {"name": name, "message": message, "stackTrace": f"{name}: {message}\n    at run (src/trigger/x.ts:10:5)"}
