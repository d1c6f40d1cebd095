"""Entities as the real server tells them (v4.4 and later). Pure; the recordings are what these must look like.

In runs an absent value is an absent key, never null; in queues, schedules and deployments it is null.
"""

from __future__ import annotations

from typing import Any

from triggerdev_exporter.clock import SECOND, Instant, iso
from triggerdev_exporter.simulator.cron import describe, next_slot
from triggerdev_exporter.simulator.entities import Batch, Deployment, Queue, Run, Schedule, Token
from triggerdev_exporter.simulator.error_groups import ErrorGroup
from triggerdev_exporter.simulator.ids import friendly
from triggerdev_exporter.simulator.life import hash_of
from triggerdev_exporter.simulator.profiles import Profile
from triggerdev_exporter.simulator.spellings import flags, spelling
from triggerdev_exporter.simulator.world import World

Json = dict[str, Any]

_NANO_A_CENT = 10_000_000


def _dates(run: Run, *, finished_at: Instant | None) -> Json:
    told: Json = {"createdAt": iso(run.created_at), "updatedAt": iso(run.updated_at)}
    for name, at in (
        ("startedAt", run.started_at),
        ("finishedAt", finished_at),
        ("delayedUntil", run.delayed_until),
        ("expiredAt", run.expired_at),
    ):
        if at is not None:
            told[name] = iso(at)
    if run.ttl is not None:
        told["ttl"] = run.ttl
    return told


def _shown(run: Run, dated: bool) -> str:
    row = spelling(run.status)
    return row.dated if dated else row.undated


def _common(run: Run, profile: Profile, *, dated: bool, finished_at: Instant | None) -> Json:
    shown = _shown(run, dated)
    told: Json = {"id": run.id, "status": shown, "taskIdentifier": run.task}
    if run.idempotency_key is not None:
        told["idempotencyKey"] = run.idempotency_key
    if run.version is not None:
        told["version"] = run.version
    told |= _dates(run, finished_at=finished_at)
    told |= {
        "isTest": run.is_test,
        "tags": list(run.tags),
        "costInCents": run.cost_nanousd / _NANO_A_CENT,
        "baseCostInCents": run.base_cost_nanousd / _NANO_A_CENT,
        "durationMs": run.compute_ms,
        "depth": run.depth,
    }
    if run.metadata is not None:
        told["metadata"] = run.metadata
    if profile.kind_and_region:
        told["region"] = run.region
    return told | flags(shown)


def list_run(world: World, run: Run, profile: Profile, *, dated: bool) -> Json:
    """An item of the run list."""
    told = _common(run, profile, dated=dated, finished_at=run.finished_at)
    told["env"] = {"id": world.environment_id, "name": world.environment}
    if profile.kind_and_region:
        told["taskKind"] = run.kind
    return told


def _related(run: Run, profile: Profile, *, dated: bool) -> Json:
    told = _common(run, profile, dated=dated, finished_at=run.completed_at)
    told["triggerFunction"] = "batchTrigger" if run.batch_id else "trigger"
    if run.batch_id:
        told["batchId"] = run.batch_id
    return told


def one_run(world: World, run: Run, profile: Profile, *, dated: bool) -> Json:
    """The retrieved run. Its `finishedAt` is strictly `completedAt`."""
    told = _related(run, profile, dated=dated)
    if run.payload is not None:
        told["payload"] = run.payload
    if run.output is not None and run.status == "COMPLETED_SUCCESSFULLY":
        told["output"] = run.output
    if run.error is not None and run.is_final:
        told["error"] = run.error
    schedule = world.schedules.get(run.schedule_id or "")
    if schedule is not None:
        told["schedule"] = {
            "id": schedule.id,
            **_where_set(externalId=schedule.external_id, deduplicationKey=schedule.deduplication_key),
            "generator": _generator(schedule),
        }
    told |= {"attemptCount": run.attempts, "attempts": []}
    family: Json = {}
    for name, run_id in (("root", run.root_id), ("parent", run.parent_id)):
        if run_id and (relative := world.run(run_id)):
            family[name] = _related(relative, profile, dated=dated)
    children = (world.run(child) for child in run.children)
    family["children"] = [_related(child, profile, dated=dated) for child in children if child is not None]
    told["relatedRuns"] = family
    return told


def _where_set(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def queue(row: Queue, profile: Profile) -> Json:
    told: Json = {
        "id": row.id,
        "name": row.short_name,
        "type": row.type,
        "running": row.running + row.extra_running,
        "queued": row.queued + row.extra_queued,
        "paused": row.paused,
        "concurrencyLimit": row.limit,
        "concurrency": {
            "current": row.limit,
            "base": None,
            "override": None,
            "overriddenBy": None,
            "overriddenAt": None,
        },
        "releaseConcurrencyOnWaitpoint": True,
        "concurrencyLimitOverridePercent": None,
    }
    if profile.queue_version:
        told["version"] = "V1"
    return told


def batch(row: Batch, *, version: int) -> Json:
    """A batch as ``/api/v1`` or ``/api/v2`` tells it."""
    told: Json = {"id": row.id, "status": row.status, **_where_set(idempotencyKey=row.idempotency_key)}
    told |= {
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
        "runCount": row.items_created + row.items_failed,
        "runs": ["run_" + key for key in row.run_keys],
    }
    errors = [
        {
            "index": row.items_created + number,
            "taskIdentifier": row.task,
            "error": "Queue size limit exceeded",
            "errorCode": "QUEUE_SIZE_LIMIT_EXCEEDED",
        }
        for number in range(row.items_failed)
    ]
    if version == 2:
        told["processing"] = {"errors": errors}
    elif row.items_failed:
        told |= {"successfulRunCount": row.items_created, "failedRunCount": row.items_failed, "errors": errors}
    return told


def _generator(row: Schedule) -> Json:
    return {"type": "CRON", "expression": row.cron, "description": describe(row.cron)}


def schedule(world: World, row: Schedule, *, listed: bool) -> Json:
    """The list tells the next slot of an inactive schedule too, a retrieve does not."""
    slot = next_slot(row.cron, row.timezone, world.now) if listed or row.active else None
    told: Json = {
        "id": row.id,
        "type": row.type,
        "task": row.task,
        "active": row.active,
        "nextRun": None if slot is None else iso(slot),
        "nextRunEffectiveAt": None if slot is None else iso(slot + hash_of(row.id) % (50 * SECOND)),
        "generator": _generator(row),
        "timezone": row.timezone,
        **_where_set(deduplicationKey=row.deduplication_key, externalId=row.external_id),
    }
    environment = {"id": world.environment_id, "type": environment_type(world)}
    if listed:
        told["externalId"] = row.external_id
        environment["slug"] = world.environment
    told["environments"] = [environment]
    return told


def environment_type(world: World) -> str:
    """PRODUCTION and so on, from the slug."""
    return {"prod": "PRODUCTION", "stg": "STAGING", "dev": "DEVELOPMENT"}.get(world.environment, "PREVIEW")


def list_deployment(row: Deployment, *, omit_nulls: bool) -> Json:
    """An item of the list, and the current one. `omit_nulls` is not as real, but lets the official SDK read it."""
    told: Json = {
        "id": row.id,
        "createdAt": iso(row.created_at),
        "shortCode": row.short_code,
        "version": row.version,
        "runtime": row.runtime,
        "runtimeVersion": row.runtime_version,
        "status": row.status,
        "deployedAt": None if row.deployed_at is None else iso(row.deployed_at),
        "git": row.git,
        **_where_set(error=row.error),
    }
    if omit_nulls:
        # The SDK wants `runtime` and `runtimeVersion` to be there, null or not, and these two never to be null.
        return {name: value for name, value in told.items() if value is not None or name not in {"git", "deployedAt"}}
    return told


def one_deployment(world: World, row: Deployment) -> Json:
    told: Json = {
        "id": row.id,
        "status": row.status,
        "contentHash": "hash" + row.short_code,
        "shortCode": row.short_code,
        "version": row.version,
        "imageReference": f"registry.invalid/trigger/{world.project}:{row.version}.{row.short_code}",
        "imagePlatform": "linux/amd64",
        "commitSHA": (row.git or {}).get("commitSha"),
        "externalBuildData": {"buildId": "-", "projectId": "-", "buildToken": "-"},
        "errorData": row.error,
        "canceledReason": row.canceled_reason,
    }
    if row.status == "DEPLOYED":
        told["worker"] = {
            "id": friendly("worker", row.id),
            "version": row.version,
            "tasks": [
                {
                    "id": friendly("task", row.id, task),
                    "slug": task,
                    "filePath": f"src/trigger/{task}.ts",
                    "exportName": task.replace("-", "_"),
                }
                for task in row.tasks
            ],
        }
    return told


def error_group(row: ErrorGroup) -> Json:
    return {
        "id": row.id,
        "fingerprint": row.id.removeprefix("error_"),
        "taskIdentifier": row.task,
        "errorType": row.type,
        "errorMessage": row.message,
        "status": "unresolved",
        "count": row.count,
        "firstSeen": iso(row.first_seen),
        "lastSeen": iso(row.last_seen),
        "resolvedAt": None,
        "ignoredUntil": None,
    }


def _token_dates(row: Token) -> Json:
    told = {"createdAt": iso(row.created_at)}
    if row.completed_at is not None:
        told["completedAt"] = iso(row.completed_at)
    if row.timeout_at is not None:
        told["timeoutAt"] = told["completedAfter"] = iso(row.timeout_at)
    return told


def _callback(row: Token, origin: str) -> str:
    return f"{origin}/api/v1/waitpoints/tokens/{row.id}/callback/{friendly('', row.id)[1:]}"


def list_token(row: Token, origin: str) -> Json:
    told = {"id": row.id, "url": _callback(row, origin), "status": row.status, "tags": list(row.tags)}
    return told | _token_dates(row) | _where_set(idempotencyKey=row.idempotency_key)


def one_token(row: Token, origin: str) -> Json:
    return {
        "id": row.id,
        "type": "MANUAL",
        "url": _callback(row, origin),
        "status": row.status,
        "idempotencyKey": row.idempotency_key or friendly("", row.key)[1:],
        "userProvidedIdempotencyKey": row.idempotency_key is not None,
        **_where_set(output=row.output),
        "outputType": "application/json" if row.output is None else "application/super+json",
        "outputIsError": row.status == "TIMED_OUT",
        "tags": list(row.tags),
        **_token_dates(row),
    }
