"""What lives on the live plane of a world: queues, batches, schedules, deployments, tokens, and how tests script them.

`World` is built on this; runs are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from triggerdev_exporter.clock import DAY, Instant
from triggerdev_exporter.simulator.entities import (
    DEPLOYMENT_FINAL,
    Batch,
    Deployment,
    Queue,
    Schedule,
    Token,
)
from triggerdev_exporter.simulator.ids import Ids, friendly

if TYPE_CHECKING:
    from triggerdev_exporter.simulator.life import Life


class LiveThings:
    """All entities but runs, by id; queues by raw name."""

    now: Instant
    ids: Ids
    environment_id: str
    life: Life

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.batches: dict[str, Batch] = {}
        self.schedules: dict[str, Schedule] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tokens: dict[str, Token] = {}
        self.current_deployment: str | None = None

    def at(self, when: Instant, act: Callable[..., None], *args: Any) -> None:
        """Do `act(*args)` once the world reaches `when`."""
        raise NotImplementedError

    # ── queues ────────────────────────────────────────────────────────────────────────────────────────────────────

    def queue(self, name: str) -> Queue:
        """The queue of that raw name, made if need be."""
        found = self.queues.get(name)
        if found is None:
            found = self.queues[name] = Queue(name, friendly("queue", self.environment_id, name))
        return found

    def add_queue(
        self,
        name: str,
        *,
        limit: int | None = None,
        paused: bool = False,
        extra_queued: int = 0,
        extra_running: int = 0,
        id: str | None = None,
    ) -> Queue:
        """Script a queue; the counts of its runs are added to the extra ones."""
        queue = self.queue(name)
        queue.limit, queue.paused = limit, paused
        queue.extra_queued, queue.extra_running = extra_queued, extra_running
        queue.id = id or queue.id
        return queue

    def delete_queue(self, name: str) -> None:
        del self.queues[name]

    def pause_queue(self, name: str, paused: bool = True) -> None:
        self.queue(name).paused = paused
        self.at(self.now, self.life.pump, name)

    # ── batches ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add_batch(
        self,
        *,
        status: str = "PENDING",
        created_at: Instant | None = None,
        updated_at: Instant | None = None,
        items_created: int = 0,
        items_failed: int = 0,
        task: str = "",
        id: str | None = None,
        automatic: bool = False,
    ) -> str:
        """Script a batch; runs join it by ``add_run(batch_id=…)``. An `automatic` one completes with its last run."""
        born = self.now if created_at is None else created_at
        batch = Batch(
            id=id or "batch_" + self.ids.key(born),
            status=status,
            created_at=born,
            updated_at=updated_at or born,
            items_created=items_created,
            items_failed=items_failed,
            task=task,
            was_partial=status == "PARTIAL_FAILED",
            automatic=automatic,
        )
        self.batches[batch.id] = batch
        return batch.id

    def change_batch(
        self, batch_id: str, status: str | None = None, *, at: Instant | None = None, **fields: Any
    ) -> None:
        """Script a change of a batch; `updated_at` moves to `at` or now."""
        batch = self.batches[batch_id]
        batch.status = status or batch.status
        batch.was_partial = batch.was_partial or batch.status == "PARTIAL_FAILED"
        batch.updated_at = self.now if at is None else at
        for name, value in fields.items():
            setattr(batch, name, value)

    def settle_batch(self, batch: Batch) -> None:
        """Complete an automatic batch whose items are all made and whose runs have all ended."""
        if batch.automatic and batch.status in {"PENDING", "PARTIAL_FAILED"} and batch.open_runs == 0:
            self.change_batch(batch.id, "COMPLETED")

    # ── schedules ─────────────────────────────────────────────────────────────────────────────────────────────────

    def add_schedule(
        self,
        *,
        task: str,
        cron: str,
        timezone: str = "UTC",
        type: str = "DECLARATIVE",
        active: bool = True,
        created_at: Instant | None = None,
        automatic: bool = True,
        broken: bool = False,
        external_id: str | None = None,
        deduplication_key: str | None = None,
        id: str | None = None,
    ) -> str:
        """Script a schedule. `automatic=False`: it never fires by itself (add its runs with ``schedule_id=``)."""
        born = self.now if created_at is None else created_at
        schedule = Schedule(
            id=id or friendly("sched", self.environment_id, task, cron, timezone, len(self.schedules)),
            task=task,
            cron=cron,
            timezone=timezone,
            type=type,
            created_at=born,
            active_since=[(born, active)],
            broken=broken,
            automatic=automatic,
            deduplication_key=deduplication_key,
            external_id=external_id,
        )
        self.schedules[schedule.id] = schedule
        if automatic:
            self.life.plan_fire(schedule, self.now)
        return schedule.id

    def set_schedule(self, schedule_id: str, *, active: bool | None = None, broken: bool | None = None) -> None:
        """Switch a schedule on or off, or let it silently stop firing (`broken`)."""
        schedule = self.schedules[schedule_id]
        if active is not None:
            schedule.active_since.append((self.now, active))
        if broken is not None:
            schedule.broken = broken

    def delete_schedule(self, schedule_id: str) -> None:
        del self.schedules[schedule_id]

    # ── deployments ───────────────────────────────────────────────────────────────────────────────────────────────

    def add_deployment(
        self,
        *,
        version: str | None = None,
        status: str = "DEPLOYED",
        created_at: Instant | None = None,
        deployed_at: Instant | None = None,
        ended_at: Instant | None = None,
        tasks: tuple[str, ...] = (),
        current: bool | None = None,
        id: str | None = None,
        **fields: Any,
    ) -> str:
        """Script a deployment. A deployed one becomes the current one unless `current=False`."""
        born = self.now if created_at is None else created_at
        number = len(self.deployments) + 1
        deployment = Deployment(
            id=id or friendly("deployment", self.environment_id, number, born),
            version=version or self.life.version_of(born, number),
            short_code=friendly("", number, born)[1:9],
            status="PENDING",
            created_at=born,
            tasks=tasks,
            git={
                "dirty": False,
                "provider": "github",
                "commitRef": "main",
                "commitSha": f"{number:040d}",
                "commitMessage": f"release {number}",
                "commitAuthorName": "Dev Example",
            },
        )
        for name, value in fields.items():
            setattr(deployment, name, value)
        self.deployments[deployment.id] = deployment
        end = ended_at or deployed_at or (born if status in DEPLOYMENT_FINAL else None)
        self.change_deployment(deployment.id, status, at=end or born, current=current)
        return deployment.id

    def newest_deployments(self) -> list[Deployment]:
        """All deployments, newest first; of the same millisecond, the last one made comes first."""
        rows = list(self.deployments.values())[::-1]
        rows.sort(key=lambda row: row.created_at, reverse=True)
        return rows

    def change_deployment(
        self, deployment_id: str, status: str, *, at: Instant | None = None, current: bool | None = None, **fields: Any
    ) -> None:
        """Script the next step of a deployment."""
        deployment = self.deployments[deployment_id]
        when = self.now if at is None else at
        deployment.status = status
        for name, value in fields.items():
            setattr(deployment, name, value)
        if status in DEPLOYMENT_FINAL:
            deployment.ended_at = when
        if status == "FAILED" and deployment.error is None:
            deployment.error = {
                "name": "BuildError",
                "message": "esbuild: could not resolve ./missing",
                "stderr": "ERR! 1",
            }
        if status == "CANCELED":
            deployment.canceled_reason = deployment.canceled_reason or "superseded"
        if status == "DEPLOYED":
            deployment.deployed_at = when
            deployment.runtime_version = "22.16.0"
            if current is not False:
                self.current_deployment = deployment_id

    # ── waitpoint tokens ──────────────────────────────────────────────────────────────────────────────────────────

    def add_token(
        self,
        *,
        status: str = "WAITING",
        created_at: Instant | None = None,
        timeout_at: Instant | None = None,
        completed_at: Instant | None = None,
        tags: tuple[str, ...] = (),
        idempotency_key: str | None = None,
        id: str | None = None,
    ) -> str:
        """Script a waitpoint token. It times out only when told to."""
        born = self.now if created_at is None else created_at
        token = Token(
            key=(id or "waitpoint_" + self.ids.key(born)).removeprefix("waitpoint_"),
            status="WAITING",
            created_at=born,
            timeout_at=born + DAY if timeout_at is None else timeout_at,
            tags=tags,
            idempotency_key=idempotency_key,
        )
        self.tokens[token.id] = token
        if status != "WAITING":
            self.change_token(token.id, status, at=completed_at or born)
        return token.id

    def change_token(self, token_id: str, status: str, *, at: Instant | None = None) -> None:
        """Script the end of a token."""
        token = self.tokens[token_id]
        token.status = status
        token.completed_at = (self.now if at is None else at) if status != "WAITING" else None
        token.output = '{"json":{"approved":true}}' if status == "COMPLETED" else None
