"""What happens by itself: arrivals, dequeuing, attempts, waits, ends, cron, batches, deployments, tokens.

Each method is one event of the world's heap; it draws its dice in event order, so a history depends on the seed alone.
Runs that a test scripts are never touched here, except that they take slots of their queue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triggerdev_exporter.clock import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_exporter.simulator.cron import next_slot
from triggerdev_exporter.simulator.entities import QUEUED, Attempt, Batch, Run, Schedule, error_of
from triggerdev_exporter.simulator.scenario import BatchSpec, TaskSpec

if TYPE_CHECKING:
    from triggerdev_exporter.simulator.world import World

#: Nano-dollars: a run's start, and a millisecond of the small machine.
_BASE_COST = 25_000
_COST_A_MS = {"small-1x": 34, "medium-1x": 85, "large-1x": 340}
#: A schedule's run is made up to this long before its slot.
_EARLY = 30 * SECOND
#: A preloaded run is over by then.
_SETTLED = 5 * SECOND


class Life:
    """The dice and the rules of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._dice = world.random
        self._specs: dict[str, TaskSpec] = {task.name: task for task in world.scenario.tasks}
        self._waiting: set[str] = set()
        self._deployments = 0

    # ── the beginning ─────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Set the scene and plan the first events."""
        world, scenario = self.world, self.world.scenario
        for queue in scenario.queues:
            world.add_queue(queue.name, limit=queue.limit, paused=queue.paused)
        for task in scenario.tasks:
            world.queue(task.queue or f"task/{task.name}")
        names = tuple(task.name for task in scenario.tasks)
        if scenario.deployed_at_start:
            born = world.start - HOUR
            world.add_deployment(created_at=born, deployed_at=born + MINUTE, tasks=names)
        self._preload()
        for spec in scenario.schedules:
            world.add_schedule(
                task=spec.task,
                cron=spec.cron,
                timezone=spec.timezone,
                type=spec.type,
                active=spec.active,
                broken=spec.broken,
                external_id=spec.external_id,
                deduplication_key=f"{spec.external_id}-{spec.task}" if spec.external_id else None,
            )
        for task in scenario.tasks:
            self._plan_arrival(task)
        for batch in scenario.batches:
            world.at(world.start + self._about(batch.every_ms), self.make_batch, batch)
        if scenario.deploy_every_ms:
            world.at(world.start + self._about(scenario.deploy_every_ms), self.deploy, names)
        if scenario.token_every_ms:
            world.at(world.start + self._about(scenario.token_every_ms), self.make_token)

    def _preload(self) -> None:
        """Finished runs of the past, without playing them."""
        world, scenario = self.world, self.world.scenario
        for number in range(scenario.preload):
            spec = scenario.tasks[number % len(scenario.tasks)]
            born = world.start - _SETTLED - scenario.preload_ms + number * scenario.preload_ms // scenario.preload
            begun = born + self._dice.randint(20, 400)
            status = "COMPLETED_WITH_ERRORS" if self._dice.random() < 0.03 else "COMPLETED_SUCCESSFULLY"
            took = self._dice.randint(100, 4000)
            run = self._new(spec, born, born)
            run.status, run.attempts, run.version = status, 1, self._version()
            run.queued_at, run.started_at, run.executed_at = born, begun, begun
            run.completed_at = run.updated_at = begun + took
            run.compute_ms, run.cost_nanousd = took, took * _COST_A_MS["small-1x"]
            run.history = [(born, QUEUED), (begun, "EXECUTING"), (begun + took, status)]
            world.insert(run, noted_at=born + _SETTLED)

    def _plan_arrival(self, spec: TaskSpec) -> None:
        if spec.per_second > 0:
            gap = max(1, round(self._dice.expovariate(spec.per_second) * SECOND))
            self.world.at(self.world.now + gap, self.arrive, spec)

    def _about(self, ms: Instant) -> Instant:
        return round(ms * self._dice.uniform(0.7, 1.3))

    # ── a run's life ──────────────────────────────────────────────────────────────────────────────────────────────

    def arrive(self, spec: TaskSpec) -> None:
        """The user's program triggers."""
        for _ in range(8 if self._dice.random() < spec.burst else 1):
            self.trigger(spec)
        self._plan_arrival(spec)

    def _new(self, spec: TaskSpec, born: Instant, visible: Instant) -> Run:
        return Run(
            key=self.world.ids.key(visible),
            task=spec.name,
            queue=spec.queue or f"task/{spec.name}",
            created_at=born,
            visible_at=visible,
            tags=tuple(sorted(spec.tags)),
            machine=spec.machine,
            base_cost_nanousd=_BASE_COST,
        )

    def trigger(self, spec: TaskSpec, *, slot: Instant | None = None, parent: Run | None = None, **fields: Any) -> Run:
        """Make a run now. `slot` is the createdAt of a schedule's run."""
        dice, now = self._dice, self.world.now
        run = self._new(spec, now if slot is None else slot, now)
        for name, value in fields.items():
            setattr(run, name, value)
        if parent is not None:
            run.parent_id, run.root_id, run.depth = parent.id, parent.root_id or parent.id, parent.depth + 1
        run.is_test = dice.random() < spec.test
        run.payload = {"n": dice.randint(1, 999)}
        if spec.ttl_ms:
            run.ttl = f"{spec.ttl_ms // MINUTE}m"
        if slot is None and dice.random() < spec.delay:
            run.status, run.delayed_until = "DELAYED", now + self._about(spec.delay_ms)
            self.world.at(run.delayed_until, self.due, run)
        elif dice.random() < spec.next_version:
            run.status = "PENDING_VERSION"
        self.world.insert(run)
        if run.status == QUEUED:
            self._enqueue(run)
        if dice.random() < spec.cancel:
            self.world.at(now + dice.randint(SECOND, MINUTE), self.cancel, run)
        return run

    def due(self, run: Run) -> None:
        """Its delay is over."""
        if run.status == "DELAYED":
            self.world.change(run, QUEUED)
            self._enqueue(run)

    def _enqueue(self, run: Run) -> None:
        world = self.world
        run.queued_at = world.now
        world.queue(run.queue).waiting_line.append(run.key)
        self._waiting.add(run.queue)
        spec = self._specs[run.task]
        if spec.ttl_ms:
            world.at(world.now + spec.ttl_ms, self.expire, run)
        world.at(world.now + self._dice.randint(20, 250), self.pump, run.queue)

    def expire(self, run: Run) -> None:
        if run.status == QUEUED:
            now = self.world.now
            self.world.change(run, "EXPIRED", completed_at=now, expired_at=now, error=error_of("EXPIRED"))

    def cancel(self, run: Run) -> None:
        """The user cancels a run that has not ended."""
        if not run.is_final:
            ended = {} if run.started_at is None else {"completed_at": self.world.now}
            self.world.change(run, "CANCELED", error=error_of("CANCELED"), **ended)

    def slot_freed(self, queue: str) -> None:
        """A run left the running ones: its queue, or another one if the environment was full, may go on."""
        if self._waiting:
            self.world.at(self.world.now, self.pump, queue)
            if self.world.scenario.environment_limit is not None:
                for name in sorted(self._waiting - {queue}):
                    self.world.at(self.world.now, self.pump, name)

    def _has_slot(self, name: str) -> bool:
        world = self.world
        queue = world.queue(name)
        if queue.limit is not None and queue.running >= queue.limit:
            return False
        return world.scenario.environment_limit is None or world.running < world.scenario.environment_limit

    def pump(self, name: str) -> None:
        """Dequeue what may be dequeued."""
        queue = self.world.queue(name)
        while queue.waiting_line and not queue.paused and self._has_slot(name):
            run = self.world.runs.get(queue.waiting_line.popleft())
            if run is not None and run.status == QUEUED:
                self._start(run)
        if not queue.waiting_line:
            self._waiting.discard(name)

    def _start(self, run: Run) -> None:
        world, spec = self.world, self._specs[run.task]
        world.change(run, "DEQUEUED", started_at=world.now, version=self._version())
        if self._dice.random() < spec.stuck:
            world.at(world.now + spec.stuck_ms, self.stalled, run)
        else:
            world.at(world.now + self._dice.randint(50, 900), self.execute, run)

    def stalled(self, run: Run) -> None:
        """The platform gives up on a run that never came up; that was its attempt."""
        if run.status == "DEQUEUED":
            run.attempts = 1
            self.end(run, "SYSTEM_FAILURE")

    def execute(self, run: Run) -> None:
        """An attempt begins."""
        if run.status not in {"DEQUEUED", "RETRYING_AFTER_FAILURE"}:
            return
        world, spec, dice = self.world, self._specs[run.task], self._dice
        number = run.attempts + 1
        run.attempt_log.append(Attempt(f"attempt_{run.key[-12:]}_{number}", "EXECUTING", world.now))
        world.change(run, "EXECUTING", attempts=number, executed_at=run.executed_at or world.now)
        if spec.child and number == 1 and dice.random() < spec.child_chance:
            self.trigger(self._specs[spec.child], parent=run)
        took = max(20, round(dice.lognormvariate(0, spec.spread) * spec.run_ms))
        if dice.random() < spec.wait:
            world.at(world.now + took // 2, self.wait, run, took // 2, took - took // 2)
        else:
            world.at(world.now + took, self.attempt_over, run, took)

    def wait(self, run: Run, worked: Instant, left: Instant) -> None:
        """It waits for a time or a token, and gives its slot back."""
        if run.status == "EXECUTING":
            self._worked(run, worked)
            self.world.change(run, "WAITING_TO_RESUME")
            waits = self._about(self._specs[run.task].wait_ms)
            self.world.at(self.world.now + waits, self.resume, run, left)

    def resume(self, run: Run, left: Instant) -> None:
        """It goes on as soon as there is a slot."""
        if run.status != "WAITING_TO_RESUME":
            return
        if self._has_slot(run.queue):
            self.world.change(run, "EXECUTING")
            self.world.at(self.world.now + left, self.attempt_over, run, left)
        else:
            self.world.at(self.world.now + SECOND, self.resume, run, left)

    def attempt_over(self, run: Run, worked: Instant) -> None:
        """It tries again, or it ends."""
        if run.status != "EXECUTING":
            return
        spec, dice = self._specs[run.task], self._dice
        self._worked(run, worked)
        if run.attempts < spec.max_attempts and dice.random() < spec.retry:
            self._close_attempt(run, "FAILED")
            self.world.change(run, "RETRYING_AFTER_FAILURE")
            self.world.at(self.world.now + self._about(2 * SECOND), self.execute, run)
        else:
            ending = dice.choices(list(spec.outcomes), list(spec.outcomes.values()))[0]
            stormy = spec.storm_every_ms is not None and self._in_storm(spec.storm_every_ms, spec.storm_ms)
            self.end(run, "COMPLETED_WITH_ERRORS" if stormy and dice.random() < spec.storm_failing else ending)

    def _in_storm(self, every: Instant, lasts: Instant) -> bool:
        """The last part of each period is stormy."""
        return (self.world.now - self.world.start) % every >= every - lasts

    def end(self, run: Run, status: str) -> None:
        """Its end, whatever it was doing."""
        if run.is_final:
            return
        fine = status == "COMPLETED_SUCCESSFULLY"
        self._close_attempt(run, "COMPLETED" if fine else "FAILED")
        told: dict[str, Any] = {"output": {"ok": True}} if fine else {"error": self._error(run, status)}
        self.world.change(run, status, completed_at=self.world.now, **told)

    def _error(self, run: Run, status: str) -> dict[str, str]:
        return error_of(status, *self._specs[run.task].error)

    def _close_attempt(self, run: Run, status: str) -> None:
        if run.attempt_log and run.attempt_log[-1].completed_at is None:
            run.attempt_log[-1].status = status
            run.attempt_log[-1].completed_at = self.world.now

    def _worked(self, run: Run, ms: Instant) -> None:
        run.compute_ms += ms
        run.cost_nanousd += ms * _COST_A_MS.get(run.machine, 34)

    # ── schedules ─────────────────────────────────────────────────────────────────────────────────────────────────

    def plan_fire(self, schedule: Schedule, after: Instant) -> None:
        """Plan the run of the first slot after `after`: it is made up to 30 s early."""
        slot = next_slot(schedule.cron, schedule.timezone, after)
        early = (hash_of(schedule.id, slot) % _EARLY) if slot - self.world.now > _EARLY else 0
        self.world.at(max(self.world.now, slot - early), self.fire, schedule, slot)

    def fire(self, schedule: Schedule, slot: Instant) -> None:
        """A slot has come."""
        if schedule.id not in self.world.schedules:
            return
        if schedule.active and not schedule.broken:
            spec = self._specs.setdefault(schedule.task, TaskSpec(schedule.task))
            payload = {"scheduleId": schedule.id, "type": schedule.type, "timezone": schedule.timezone}
            run = self.trigger(spec, slot=slot, kind="SCHEDULED", schedule_id=schedule.id)
            run.payload = payload
        self.plan_fire(schedule, slot)

    # ── batches ───────────────────────────────────────────────────────────────────────────────────────────────────

    def make_batch(self, spec: BatchSpec) -> None:
        """The user sends a batch: its items become runs within a second or two."""
        world, dice = self.world, self._dice
        count = dice.randint(*spec.items)
        chance = dice.random()
        # An aborted batch is one whose items stopped coming: some of its runs are there, or no list would name it.
        status = "PENDING"
        if chance < spec.aborted + spec.partial:
            status = "ABORTED" if chance < spec.aborted else "PARTIAL_FAILED"
        failed = 0 if status == "PENDING" else dice.randint(1, count - 1)
        batch_id = world.add_batch(status="PROCESSING", task=spec.task, automatic=True)
        world.at(
            world.now + dice.randint(100, 900), self.make_items, world.batches[batch_id], count - failed, failed, status
        )
        world.at(world.now + self._about(spec.every_ms), self.make_batch, spec)

    def make_items(self, batch: Batch, created: int, failed: int, status: str) -> None:
        """Its items have become runs, or not."""
        for _ in range(created):
            self.trigger(self._specs[batch.task], batch_id=batch.id)
        self.world.change_batch(batch.id, status, items_created=created, items_failed=failed)

    # ── deployments and tokens ────────────────────────────────────────────────────────────────────────────────────

    def version_of(self, at: Instant, number: int) -> str:
        return f"{datetime.fromtimestamp(at // 1000, UTC):%Y%m%d}.{number}"

    def _version(self) -> str | None:
        current = self.world.current_deployment
        return self.world.deployments[current].version if current else None

    def deploy(self, tasks: tuple[str, ...]) -> None:
        """A new version is on its way."""
        world, dice = self.world, self._dice
        deployment = world.add_deployment(status="PENDING", tasks=tasks)
        ending = dice.choices(("DEPLOYED", "FAILED", "CANCELED", "TIMED_OUT"), (85, 9, 4, 2))[0]
        way = ["INSTALLING"] if dice.random() < 0.5 else []
        way += ["BUILDING"] if ending in {"FAILED", "CANCELED"} else ["BUILDING", "DEPLOYING"]
        when = world.now
        for status in way:
            when += self._about(15 * SECOND)
            world.at(when, world.change_deployment, deployment, status)
        world.at(
            when + self._about(8 * MINUTE if ending == "TIMED_OUT" else 20 * SECOND), self.deployed, deployment, ending
        )
        world.at(world.now + self._about(world.scenario.deploy_every_ms or DAY), self.deploy, tasks)

    def deployed(self, deployment: str, status: str) -> None:
        """It ended; if well, the runs that waited for a version are let go."""
        self.world.change_deployment(deployment, status)
        if status == "DEPLOYED":
            for _, key in list(self.world.index.by_status.get("PENDING_VERSION", ())):
                run = self.world.runs[key]
                if run.task in self._specs:
                    self.world.change(run, QUEUED)
                    self._enqueue(run)

    def make_token(self) -> None:
        """Somebody is asked for an approval, and answers or not."""
        world, dice = self.world, self._dice
        timeout = dice.choice((2 * MINUTE, 10 * MINUTE, HOUR))
        token = world.add_token(timeout_at=world.now + timeout, tags=("approval",))
        answers = world.now + self._about(90 * SECOND)
        late = dice.random() < 0.15 or answers > world.now + timeout
        world.at(
            world.now + timeout if late else answers, world.change_token, token, "TIMED_OUT" if late else "COMPLETED"
        )
        world.at(world.now + self._about(world.scenario.token_every_ms or DAY), self.make_token)


def hash_of(*words: object) -> int:
    """A number that depends on `words` alone: for what must not disturb the dice."""
    value = 0xCBF29CE484222325
    for byte in "\0".join(map(str, words)).encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 31
