"""Entities as the seed dialect tells them (docs/design.md, section 2). Pure. An absent value is an absent key."""

from __future__ import annotations

from typing import Any

from triggerdev_exporter.clock import Instant, iso
from triggerdev_exporter.simulator.cron import describe, next_slot
from triggerdev_exporter.simulator.entities import Batch, Deployment, Queue, Run, Schedule, Token
from triggerdev_exporter.simulator.spellings import spelling
from triggerdev_exporter.simulator.trigger_views import environment_type
from triggerdev_exporter.simulator.world import World

Json = dict[str, Any]

_BATCH = {"PARTIAL_FAILED": "PROCESSING", "ABORTED": "FAILED"}
_DEPLOYMENT = {"INSTALLING": "PENDING", "CANCELED": "FAILED", "TIMED_OUT": "FAILED"}
_TOKEN = {"WAITING": "PENDING", "TIMED_OUT": "EXPIRED"}


def _where_set(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _date(at: Instant | None) -> str | None:
    return None if at is None else iso(at)


def _reference(row: Run) -> Json:
    return {"id": row.id, "status": spelling(row.status).seed, "taskIdentifier": row.task}


def run(world: World, row: Run) -> Json:
    """A run, the same in the list and by itself."""
    relatives = {name: world.run(other) for name, other in (("root", row.root_id), ("parent", row.parent_id)) if other}
    children = (world.run(child) for child in row.children)
    schedule = world.schedules.get(row.schedule_id or "")
    return {
        **_reference(row),
        **_where_set(version=row.version),
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
        **_where_set(startedAt=_date(row.started_at), finishedAt=_date(row.finished_at)),
        "isTest": row.is_test,
        **_where_set(payload=row.payload, output=row.output if row.status == "COMPLETED_SUCCESSFULLY" else None),
        "tags": list(row.tags),
        **_where_set(metadata=row.metadata),
        "relatedRuns": {
            **{name: _reference(relative) for name, relative in relatives.items() if relative is not None},
            "children": [_reference(child) for child in children if child is not None],
        },
        "attempts": [
            {
                "id": attempt.id,
                "status": attempt.status,
                "startedAt": iso(attempt.started_at),
                **_where_set(completedAt=_date(attempt.completed_at)),
            }
            for attempt in row.attempt_log
        ],
        **_where_set(
            schedule=None
            if schedule is None
            else {"id": schedule.id, "type": schedule.type, "expression": schedule.cron}
        ),
    }


def queue(row: Queue) -> Json:
    return {
        "name": row.name,
        "paused": row.paused,
        **_where_set(concurrencyLimit=row.limit),
        "currentConcurrency": row.running + row.extra_running,
        "depth": row.queued + row.extra_queued,
    }


def batch(world: World, row: Batch) -> Json:
    """`failedCount` is the items that could not be turned into runs; `completedCount` the runs that have ended."""
    ended = sum(1 for key in row.run_keys if (found := world.runs.get(key)) is not None and found.is_final)
    final = row.status in {"COMPLETED", "ABORTED"}
    return {
        "id": row.id,
        "status": _BATCH.get(row.status, row.status),
        "totalCount": row.items_created + row.items_failed,
        "completedCount": ended,
        "failedCount": row.items_failed,
        "createdAt": iso(row.created_at),
        **_where_set(completedAt=iso(row.updated_at) if final else None),
    }


def schedule(world: World, row: Schedule) -> Json:
    return {
        "id": row.id,
        "task": row.task,
        "type": row.type,
        "active": row.active,
        **_where_set(deduplicationKey=row.deduplication_key, externalId=row.external_id),
        "timezone": row.timezone,
        "nextRun": iso(next_slot(row.cron, row.timezone, world.now)),
        "generator": {"type": "CRON", "expression": row.cron, "description": describe(row.cron)},
        "environments": [{"id": world.environment_id, "type": environment_type(world)}],
    }


def deployment(row: Deployment) -> Json:
    return {
        "id": row.id,
        "version": row.version,
        "status": _DEPLOYMENT.get(row.status, row.status),
        "createdAt": iso(row.created_at),
        **_where_set(deployedAt=_date(row.deployed_at)),
        "tasks": [{"identifier": task, "filePath": f"src/trigger/{task}.ts"} for task in row.tasks],
    }


def token(row: Token) -> Json:
    return {
        "id": row.id,
        "status": _TOKEN.get(row.status, row.status),
        **_where_set(
            expiresAt=_date(row.timeout_at),
            completedAt=_date(row.completed_at),
            data=row.output,
        ),
    }
