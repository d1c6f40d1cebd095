"""A world rebuilt from the recorded answers of a real server, so that the simulator can be asked the same questions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from triggerdev_exporter.simulator.entities import Batch, Run
from triggerdev_exporter.simulator.scenario import EMPTY
from triggerdev_exporter.simulator.spellings import SPELLINGS
from triggerdev_exporter.simulator.world import World

RECORDED = Path(__file__).parent.parent / "recorded"
EXCHANGES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))
}
_DATED = {row.dated: status for status, row in reversed(SPELLINGS.items())}
_UNDATED = {row.undated: status for status, row in reversed(SPELLINGS.items())} | {"EXECUTING": "EXECUTING"}
_TITLES = {row.title: status for status, row in reversed(SPELLINGS.items())}


def millis(text: str | None) -> int | None:
    """A recorded date, in either spelling."""
    if text is None:
        return None
    when = datetime.fromisoformat(text)
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def recorded_now(name: str) -> int:
    """When that answer was given, by its ``Date``, which has no fraction: the end of that second."""
    return round(parsedate_to_datetime(EXCHANGES[name]["headers"]["date"]).timestamp() * 1000) + 999


def _bodies(*beginnings: str) -> list[tuple[dict[str, Any], bool]]:
    """Bodies of good answers, with whether they were asked for with the API version."""
    return [
        (exchange["body"], bool(exchange["request"].get("headers")))
        for name, exchange in EXCHANGES.items()
        if name.startswith(beginnings) and exchange["status"] == 200 and isinstance(exchange["body"], dict)
    ]


def _told_runs() -> dict[str, dict[str, Any]]:
    """All that any answer says about each run, by id. `db` is its database status."""
    told: dict[str, dict[str, Any]] = {}

    def learn(item: dict[str, Any], status: str) -> None:
        known = told.setdefault(item["id"], {})
        known.update(item)
        # DEQUEUED shows only with the version header: what is told with it is never overwritten.
        if known.get("db") != "DEQUEUED":
            known["db"] = status

    for body, dated in _bodies("runs-list"):
        for item in body.get("data", ()):
            learn(item, (_DATED if dated else _UNDATED)[item["status"]])
    for body, dated in _bodies("run-"):
        if "taskIdentifier" in body:
            # A retrieve has no `finishedAt` where the list falls back to `updatedAt`.
            learn({**body, "retrieved": True}, (_DATED if dated else _UNDATED)[body["status"]])
            family = body["relatedRuns"]
            for relative in (family.get("root"), family.get("parent"), *family["children"]):
                if relative is not None:
                    learn(relative, _UNDATED[relative["status"]])
    for row in EXCHANGES["query-runs-changed"]["body"]["results"]:
        told.setdefault(row["run_id"], {"id": row["run_id"]})["row"] = row
    return told


def _insert_run(world: World, told: dict[str, Any], machines: dict[str, str]) -> None:
    row = told.get("row", {})
    task = told.get("taskIdentifier", row.get("task_identifier"))
    created = millis(told["createdAt"] if "createdAt" in told else row["triggered_at"])
    assert created is not None
    status = told.get("db") or _TITLES[row["status"]]
    started = millis(told.get("startedAt") or row.get("dequeued_at"))
    finished = millis(told.get("finishedAt") or row.get("completed_at"))
    schedule = told.get("schedule")
    run = Run(
        key=told["id"].removeprefix("run_"),
        task=task,
        queue=row.get("queue") or QUEUES.get(task, f"task/{task}"),
        created_at=created,
        visible_at=min(created, millis(row.get("queued_at")) or created),
        status=status,
        updated_at=millis(told.get("updatedAt")) or created,
        queued_at=millis(row.get("queued_at")),
        started_at=started,
        executed_at=millis(row.get("executed_at")),
        completed_at=None if status == "CANCELED" and started is None else finished,
        delayed_until=millis(told.get("delayedUntil") or row.get("delay_until")),
        expired_at=millis(told.get("expiredAt") or row.get("expired_at")),
        ttl=told.get("ttl"),
        version=told.get("version") or row.get("task_version") or None,
        is_test=told.get("isTest", row.get("is_test")),
        tags=tuple(told.get("tags", ())),
        compute_ms=told.get("durationMs", row.get("usage_duration", 0)),
        depth=told.get("depth", 0),
        kind=told.get("taskKind", "STANDARD"),
        region=told.get("region", "local-dev"),
        machine=machines.get(told["id"]) or row.get("machine") or "small-1x",
        batch_id=told.get("batchId") or row.get("batch_id"),
        parent_id=told.get("relatedRuns", {}).get("parent", {}).get("id"),
        root_id=told.get("relatedRuns", {}).get("root", {}).get("id"),
        schedule_id=schedule["id"] if schedule else None,
        attempts=told.get("attemptCount", row.get("attempt_count", 1)),
        error=told.get("error"),
        payload=told.get("payload"),
        output=told.get("output"),
        metadata=told.get("metadata"),
    )
    world.insert(run)


#: Tasks whose runs stood in a custom queue.
QUEUES = {"send-email": "emails", "sync-crm": "crm", "encode-video": "encodes"}


def recorded_world() -> World:
    """The production environment of the recordings."""
    world = World(EMPTY, start=recorded_now("runs-list-default") - 600_000)
    world.environment_id = EXCHANGES["runs-list-default"]["body"]["data"][0]["env"]["id"]
    for body, _ in _bodies("batch-v2", "batch-first"):
        world.batches[body["id"]] = Batch(
            id=body["id"],
            status=body["status"],
            created_at=millis(body["createdAt"]) or 0,
            updated_at=millis(body["updatedAt"]) or 0,
            items_created=body["runCount"],
        )
    for body, _ in _bodies("schedules-list"):
        for item in reversed(body["data"]):
            world.add_schedule(
                id=item["id"],
                task=item["task"],
                type=item["type"],
                cron=item["generator"]["expression"],
                timezone=item["timezone"],
                active=item["active"],
                automatic=False,
                external_id=item["externalId"],
                deduplication_key=item.get("deduplicationKey"),
            )
    for item in reversed(EXCHANGES["deployments-list"]["body"]["data"]):
        tasks = tuple(task["slug"] for task in EXCHANGES["deployment-deployed"]["body"]["worker"]["tasks"])
        world.add_deployment(
            id=item["id"],
            version=item["version"],
            status=item["status"],
            created_at=millis(item["createdAt"]),
            deployed_at=millis(item["deployedAt"]),
            short_code=item["shortCode"],
            git=item["git"],
            error=item.get("error"),
            tasks=tasks,
            current=item["id"] == EXCHANGES["deployments-current"]["body"]["id"],
        )
    for item in reversed(EXCHANGES["waitpoints-list"]["body"]["data"]):
        world.add_token(
            id=item["id"],
            status=item["status"],
            created_at=millis(item["createdAt"]),
            completed_at=millis(item.get("completedAt")),
            timeout_at=millis(item["timeoutAt"]),
            tags=tuple(item["tags"]),
        )
    large = {item["id"]: "large-1x" for item in EXCHANGES["runs-list-machine"]["body"]["data"]}
    for told in _told_runs().values():
        _insert_run(world, told, large)
    # The batch tells its runs in its own order, and more of them than any other answer.
    for body, _ in _bodies("batch-v2", "batch-first"):
        world.batches[body["id"]].run_keys = [run.removeprefix("run_") for run in body["runs"]]
    for item in EXCHANGES["queues-list"]["body"]["data"]:
        name = f"task/{item['name']}" if item["type"] == "task" else item["name"]
        queue = world.queue(name)
        world.add_queue(
            name,
            id=item["id"],
            limit=item["concurrencyLimit"],
            paused=item["paused"],
            extra_queued=item["queued"] - queue.queued,
            extra_running=item["running"] - queue.running,
        )
    for name in set(world.queues) - {
        f"task/{item['name']}" if item["type"] == "task" else item["name"]
        for item in EXCHANGES["queues-list"]["body"]["data"]
    }:
        world.delete_queue(name)
    return world
