"""The simulated environment: all entities, one heap of events, and the script that tests write.

`advance` plays the events that are due. Every change goes through `insert` and `change`, which keep the indexes, the
counts of the queues and the batches true. What happens by itself is decided in `life.py`; what is told of it is
decided by the views.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random
from typing import Any

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.entities import FINAL, QUEUED, RUNNING, Run
from triggerdev_exporter.simulator.ids import Ids, friendly
from triggerdev_exporter.simulator.index import RunIndex
from triggerdev_exporter.simulator.life import Life
from triggerdev_exporter.simulator.live import LiveThings
from triggerdev_exporter.simulator.scenario import EMPTY, Scenario
from triggerdev_exporter.simulator.script import NEVER, Step, dates_of, steps_of
from triggerdev_exporter.simulator.spellings import database_status

__all__ = ["NEVER", "World"]


class World(LiveThings):
    """One environment. The same scenario, seed and script give the same history, however it is stepped."""

    def __init__(
        self, scenario: Scenario = EMPTY, seed: int = 1, start: Instant = 0, environment: str = "prod"
    ) -> None:
        super().__init__()
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
        steps = steps_of(run, final, started_at, finished_at)
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
            for name, value in dates_of(run, new, when).items():
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

    def _appear(self, run: Run, steps: list[Step]) -> None:
        self.insert(run)
        for when, status, values in steps:
            self._at_or_now(when, self._step, run, run.plan, when, status, values)

    def _step(self, run: Run, plan: int, when: Instant, status: str, values: dict[str, Any]) -> None:
        if run.plan == plan and run.key in self.runs:
            self.change(run, status, when, **values)
