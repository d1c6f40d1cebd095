"""The simulated environment: all entities, one heap of events, and the script that tests write.

`advance` plays the events that are due. Every change goes through `insert` and `change`, which keep the indexes, the
counts of the queues and the batches true. What happens by itself is decided in `life.py`; what is told of it is
decided by the views.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

from triggerdev_exporter.clock import DAY, SECOND, Instant
from triggerdev_exporter.simulator.entities import (
    DEPLOYMENT_FINAL,
    FINAL,
    QUEUED,
    RUNNING,
    Batch,
    Deployment,
    Queue,
    Run,
    Schedule,
    Token,
    error_of,
)
from triggerdev_exporter.simulator.ids import Ids, friendly
from triggerdev_exporter.simulator.index import RunIndex
from triggerdev_exporter.simulator.life import Life
from triggerdev_exporter.simulator.scenario import EMPTY, Scenario
from triggerdev_exporter.simulator.spellings import database_status

NEVER: Final = -1
"""As `started_at` of `World.add_run`: it ended without having begun."""

#: Statuses that a scripted run may hold before it is dequeued.
_BEFORE_START = frozenset({"DELAYED", "PENDING_VERSION", "WAITING_FOR_DEPLOY", QUEUED})
#: Statuses in which a run never needed to begin.
_NEEDS_NO_START = frozenset({"CANCELED", "EXPIRED"})


class World:
    """One environment. The same scenario, seed and script give the same history, however it is stepped."""

    def __init__(
        self, scenario: Scenario = EMPTY, seed: int = 1, start: Instant = 0, environment: str = "prod"
    ) -> None:
        self.scenario = scenario
        self.environment = environment
        self.environment_id = friendly("", "environment", environment, seed).removeprefix("_")
        self.project = friendly("proj", seed)[:25]
        self.now: Instant = start
        self.start: Instant = start
        # Dice of a simulation, not a secret.
        self.random = Random(seed)
        self.ids = Ids(seed)
        self.index = RunIndex()
        self.queues: dict[str, Queue] = {}
        self.batches: dict[str, Batch] = {}
        self.schedules: dict[str, Schedule] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tokens: dict[str, Token] = {}
        self.current_deployment: str | None = None
        self.running = 0
        self._heap: list[tuple[Instant, int, Callable[..., None], tuple[Any, ...]]] = []
        self._events = 0
        self.life = Life(self)
        self.life.begin()

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, when: Instant, act: Callable[..., None], *args: Any) -> None:
        """Do `act(*args)` once the world reaches `when`."""
        self._events += 1
        heappush(self._heap, (when, self._events, act, args))

    def advance(self, to: Instant) -> None:
        """Play everything that is due up to and including `to`. The world never goes back."""
        heap = self._heap
        while heap and heap[0][0] <= to:
            when, _, act, args = heappop(heap)
            self.now = max(self.now, when)
            act(*args)
        self.now = max(self.now, to)

    # ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def runs(self) -> dict[str, Run]:
        """All runs by internal id. Read only."""
        return self.index.runs

    def run(self, run_id: str) -> Run | None:
        """The run with that public id."""
        return self.index.runs.get(run_id.removeprefix("run_")) if run_id.startswith("run_") else None

    def insert(self, run: Run, noted_at: Instant | None = None) -> None:
        """Let `run` exist from now on. `noted_at` tells the journal that all this was long ago."""
        if not run.history:
            run.history.append((run.visible_at, run.status))
        run.updated_at = run.updated_at or run.visible_at
        self.index.insert(run, self.now if noted_at is None else noted_at)
        self._count(run, run.status, +1)
        if run.parent_id and (parent := self.run(run.parent_id)):
            parent.children.append(run.id)
        if run.batch_id and (batch := self.batches.get(run.batch_id)):
            batch.run_keys.append(run.key)
            batch.open_runs += not run.is_final
        if run.schedule_id and (schedule := self.schedules.get(run.schedule_id)):
            schedule.run_keys.append(run.key)

    def change(self, run: Run, status: str | None = None, at: Instant | None = None, **fields: Any) -> None:
        """Set `fields` of `run`, and its database status."""
        when = self.now if at is None else at
        was = run.status
        run.updated_at = when
        for name, value in fields.items():
            setattr(run, name, value)
        if status is not None and status != was:
            run.history.append((when, status))
            self.index.move(run, status)
            self._count(run, was, -1)
            self._count(run, status, +1)
            if run.batch_id and (batch := self.batches.get(run.batch_id)) and (was in FINAL) != (status in FINAL):
                batch.open_runs += -1 if status in FINAL else 1
                self.settle_batch(batch)
        self.index.note(run, self.now)
        if status is not None and was in RUNNING and status not in RUNNING:
            self.life.slot_freed(run.queue)

    def _count(self, run: Run, status: str, by: int) -> None:
        queue = self.queue(run.queue)
        if status == QUEUED:
            queue.queued += by
        elif status in RUNNING:
            queue.running += by
            self.running += by

    def add_run(
        self,
        *,
        task: str,
        status: str = "QUEUED",
        created_at: Instant | None = None,
        started_at: Instant | None = None,
        finished_at: Instant | None = None,
        delayed_until: Instant | None = None,
        visible_at: Instant | None = None,
        id: str | None = None,
        queue: str | None = None,
        **fields: Any,
    ) -> str:
        """Script a run; answers its id. It gets to `status` by itself: the dates may lie ahead.

        Without `started_at` a run that must have begun began when it was created; `NEVER` says that it did not.
        Without `finished_at` a final one ended when it began. `visible_at` makes its row appear late (or early).
        Other fields are those of `entities.Run`.
        """
        born = self.now if created_at is None else created_at
        shown = born if visible_at is None else visible_at
        final = database_status(status)
        run = Run(
            key=(id or "run_" + self.ids.key(shown)).removeprefix("run_"),
            task=task,
            queue=queue or f"task/{task}",
            created_at=born,
            visible_at=shown,
            delayed_until=delayed_until,
        )
        for name, value in fields.items():
            setattr(run, name, value)
        if run.parent_id and not run.root_id:
            parent = self.run(run.parent_id)
            run.root_id = (parent.root_id if parent else None) or run.parent_id
            run.depth = run.depth or (parent.depth + 1 if parent else 1)
        steps = _steps(run, final, started_at, finished_at)
        when, first, values = steps[0]
        run.status = first
        run.updated_at = when
        run.history = [(when, first)]
        for name, value in values.items():
            setattr(run, name, value)
        self.queue(run.queue)
        self._at_or_now(shown, self._appear, run, steps[1:])
        return run.id

    def change_run(self, run_id: str, status: str | None = None, *, at: Instant | None = None, **fields: Any) -> None:
        """Script a change of a run: sets the dates that go with `status`; `finished_at` sets `completed_at`."""
        run = self.runs[run_id.removeprefix("run_")]
        run.plan += 1
        when = self.now if at is None else at
        new = None if status is None else database_status(status)
        values: dict[str, Any] = dict(fields)
        if "finished_at" in values:
            values["completed_at"] = values.pop("finished_at")
        if new is not None:
            for name, value in _dates(run, new, when).items():
                values.setdefault(name, value)
        self.change(run, new, when, **values)

    def delete_run(self, run_id: str) -> None:
        """Make a run vanish, as retention does. The truth forgets it too."""
        run = self.runs[run_id.removeprefix("run_")]
        run.plan += 1
        self._count(run, run.status, -1)
        self.index.remove(run)

    def _at_or_now(self, when: Instant, act: Callable[..., None], *args: Any) -> None:
        if when <= self.now:
            act(*args)
        else:
            self.at(when, act, *args)

    def _appear(self, run: Run, steps: list[tuple[Instant, str, dict[str, Any]]]) -> None:
        self.insert(run)
        for when, status, values in steps:
            self._at_or_now(when, self._step, run, run.plan, when, status, values)

    def _step(self, run: Run, plan: int, when: Instant, status: str, values: dict[str, Any]) -> None:
        if run.plan == plan and run.key in self.runs:
            self.change(run, status, when, **values)

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


def _dates(run: Run, status: str, when: Instant) -> dict[str, Any]:
    """The dates that a change to `status` at `when` sets, where they are not there yet."""
    dates: dict[str, Any] = {}
    if status in RUNNING and run.started_at is None:
        dates["started_at"] = when
    if status in {"EXECUTING", "RETRYING_AFTER_FAILURE"}:
        dates["executed_at"] = run.executed_at or when
        dates["attempts"] = max(1, run.attempts)
    if status in FINAL and not (status == "CANCELED" and run.started_at is None):
        dates["completed_at"] = when
    if status == "EXPIRED":
        dates["expired_at"] = when
    if status == QUEUED and run.queued_at is None:
        dates["queued_at"] = when
    return dates


def _steps(
    run: Run, final: str, started_at: Instant | None, finished_at: Instant | None
) -> list[tuple[Instant, str, dict[str, Any]]]:
    """How a scripted run gets to `final`: (when, status, fields), the first one being its birth."""
    begins = final not in _BEFORE_START and final not in _NEEDS_NO_START
    start = run.created_at if started_at is None and begins else started_at
    if start == NEVER:
        start = None
    never_begins = start is None and final not in FINAL
    birth = final if final in _BEFORE_START or never_begins else QUEUED
    if run.delayed_until is not None and run.delayed_until > run.created_at:
        birth = "DELAYED"
    values: dict[str, Any] = {"queued_at": run.created_at} if birth == QUEUED else {}
    steps: list[tuple[Instant, str, dict[str, Any]]] = [(min(run.created_at, run.visible_at), birth, values)]
    if birth == "DELAYED" and final != "DELAYED" and run.delayed_until is not None:
        ends = start if start is not None else finished_at
        if ends is None or ends > run.delayed_until:
            steps.append((run.delayed_until, QUEUED, {"queued_at": run.delayed_until}))
    if start is not None:
        executing = "DEQUEUED" if final == "DEQUEUED" else "EXECUTING" if final in FINAL else final
        begun: dict[str, Any] = {"started_at": start}
        if executing != "DEQUEUED":
            begun |= {"executed_at": start + SECOND // 10, "attempts": max(1, run.attempts)}
        steps.append((start, executing, begun))
    if final in FINAL:
        end = finished_at if finished_at is not None else start if start is not None else run.created_at
        ended: dict[str, Any] = {} if final == "CANCELED" and start is None else {"completed_at": end}
        if final == "EXPIRED":
            ended["expired_at"] = end
        if final == "COMPLETED_SUCCESSFULLY" and run.output is None:
            ended["output"] = {"ok": True}
        if final in {"COMPLETED_WITH_ERRORS", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "CANCELED", "EXPIRED"}:
            ended["error"] = run.error or error_of(final)
        steps.append((end, final, ended))
    return steps
