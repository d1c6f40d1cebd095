"""The truth: every number that an exporter could tell, recomputed from all entities of a world.

Written plainly, straight from the definitions in docs/design.md (section 5), and with no code of the exporter but the
spelling of statuses. Counters count what happened at or after `birth`. A row that is not visible yet does not exist; a
deleted one never did. Families come with their full name and without the label ``target``; a histogram comes as
``_bucket``, ``_sum`` and ``_count``.

Two readings are chosen here because the API tells no more: attempts are what TRQL tells of a run that started (at
least 1), and the time of a deployment is its ``deployedAt``, else its ``createdAt``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from triggerdev_exporter.clock import MINUTE, Instant
from triggerdev_exporter.simulator.cron import next_slot, slots
from triggerdev_exporter.simulator.entities import DEPLOYMENT_FINAL, Queue, Run, Schedule
from triggerdev_exporter.simulator.spellings import spelling
from triggerdev_exporter.simulator.world import World
from triggerdev_exporter.statuses import OUTCOMES, TERMINAL, Outcome, RunStatus, read_status

Samples = list[tuple[dict[str, str], float]]
Truth = dict[str, Samples]

_GRACE = 5 * MINUTE
_WAITS = (1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_DURATIONS = (0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True)
class Buckets:
    """Upper bounds of the two histograms, in seconds, without +Inf."""

    wait: Sequence[float] = _WAITS
    duration: Sequence[float] = _DURATIONS
    batch: Sequence[float] = _DURATIONS


@dataclass
class _Tally:
    """Numbers by labels, and the samples they become."""

    cells: dict[tuple[tuple[str, str], ...], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, value: float = 1.0, **labels: str) -> None:
        self.cells[tuple(labels.items())] += value

    def keep(self, better: object, value: float, **labels: str) -> None:
        """Keep the smallest or the largest: `better` is `min` or `max`."""
        key = tuple(labels.items())
        seen = self.cells.get(key)
        self.cells[key] = value if seen is None else (min if better is min else max)(seen, value)

    def samples(self) -> Samples:
        return [(dict(key), value) for key, value in sorted(self.cells.items())]


def truth(
    world: World,
    birth: Instant,
    now: Instant,
    lookback_ms: Instant = 0,
    buckets: Buckets | None = None,
    schedules_since: Instant | None = None,
) -> Truth:
    """All families at `now`, for a state born at `birth`. `world` must have been advanced to `now`, not further."""
    bounds = buckets or Buckets()
    runs = [run for run in world.runs.values() if run.visible_at <= now]
    told: Truth = {}
    told |= _counted(runs, birth)
    told |= _histograms(runs, birth, bounds)
    told |= _open_runs(runs)
    told |= _recent(runs, birth - lookback_ms)
    told |= _queues(world.queues.values())
    told |= _batches(world, birth, bounds)
    told |= _schedules(world, birth if schedules_since is None else schedules_since, now)
    told |= _deployments(world, birth)
    told |= _tokens(world, birth)
    return {f"triggerdev_{name}": samples for name, samples in told.items()}


def _status(run: Run) -> RunStatus:
    return read_status(spelling(run.status).dated)


def _outcome(run: Run) -> Outcome:
    return OUTCOMES[_status(run)]


def _finished(runs: Iterable[Run], birth: Instant) -> list[tuple[Run, Instant]]:
    """The runs that ended at or after `birth`, with their end."""
    return [(run, end) for run in runs if (end := run.finished_at) is not None and end >= birth]


def _counted(runs: list[Run], birth: Instant) -> Truth:
    triggered, started, finished = _Tally(), _Tally(), _Tally()
    test, versions, compute, cost, attempts = _Tally(), _Tally(), _Tally(), _Tally(), _Tally()
    for run in runs:
        if run.is_test:
            continue
        if run.created_at >= birth:
            triggered.add(task=run.task)
        if run.started_at is not None and run.started_at >= birth:
            started.add(task=run.task)
    milliseconds, money = Counter[str](), Counter[str]()
    for run, _ in _finished(runs, birth):
        if run.is_test:
            test.add(task=run.task)
            continue
        finished.add(task=run.task, status=_status(run).value)
        if run.version is not None:
            versions.add(version=run.version, outcome=_outcome(run).value)
        # Whole numbers until the end, so that the sum does not depend on the order.
        milliseconds[run.task] += run.compute_ms
        money[run.task] += run.cost_nanousd + run.base_cost_nanousd
        if run.started_at is not None:
            attempts.add(max(1, run.attempts), task=run.task)
    for task in milliseconds:
        compute.add(milliseconds[task] / 1000, task=task)
        cost.add(money[task] / 1e9, task=task)
    return {
        "runs_triggered_total": triggered.samples(),
        "runs_started_total": started.samples(),
        "runs_finished_total": finished.samples(),
        "runs_test_finished_total": test.samples(),
        "runs_by_version_finished_total": versions.samples(),
        "run_compute_seconds_total": compute.samples(),
        "run_cost_usd_total": cost.samples(),
        "run_attempts_total": attempts.samples(),
    }


def wait_ms(run: Run) -> Instant | None:
    """How long it stood in the queue, if it ever started."""
    if run.started_at is None:
        return None
    return max(0, run.started_at - max(run.created_at, run.delayed_until or run.created_at))


def _histogram(name: str, seen: dict[tuple[tuple[str, str], ...], list[Instant]], bounds: Sequence[float]) -> Truth:
    """Milliseconds by labels, as the three families of a histogram in seconds."""
    told: Truth = {f"{name}_bucket": [], f"{name}_sum": [], f"{name}_count": []}
    for key, values in sorted(seen.items()):
        labels = dict(key)
        for bound in bounds:
            below = sum(1 for value in values if value <= bound * 1000)
            told[f"{name}_bucket"].append(({**labels, "le": _le(bound)}, below))
        told[f"{name}_bucket"].append(({**labels, "le": "+Inf"}, len(values)))
        told[f"{name}_sum"].append((labels, sum(values) / 1000))
        told[f"{name}_count"].append((labels, len(values)))
    return told


def _le(bound: float) -> str:
    """A bound as Prometheus writes it."""
    return str(float(bound))


def _histograms(runs: list[Run], birth: Instant, bounds: Buckets) -> Truth:
    waits: dict[tuple[tuple[str, str], ...], list[Instant]] = defaultdict(list)
    durations: dict[tuple[tuple[str, str], ...], list[Instant]] = defaultdict(list)
    for run, end in _finished(runs, birth):
        waited = wait_ms(run)
        if run.is_test or waited is None or run.started_at is None:
            continue
        waits[(("task", run.task),)].append(waited)
        durations[("task", run.task), ("outcome", _outcome(run).value)].append(max(0, end - run.started_at))
    return _histogram("run_wait_seconds", waits, bounds.wait) | _histogram(
        "run_duration_seconds", durations, bounds.duration
    )


def _since(run: Run, status: RunStatus) -> Instant:
    """Since when an open run counts as standing there."""
    if status in {RunStatus.DEQUEUED, RunStatus.EXECUTING} and run.started_at is not None:
        return run.started_at
    if status is RunStatus.QUEUED:
        return max(run.created_at, run.delayed_until or run.created_at)
    return run.created_at


def _open_runs(runs: list[Run]) -> Truth:
    standing, oldest = _Tally(), _Tally()
    for run in runs:
        status = _status(run)
        if run.is_test or status in TERMINAL:
            continue
        standing.add(task=run.task, status=status.value)
        oldest.keep(min, _since(run, status) / 1000, task=run.task, status=status.value)
    return {"runs_open": standing.samples(), "runs_oldest_open_timestamp_seconds": oldest.samples()}


def _recent(runs: list[Run], since: Instant) -> Truth:
    """What a task did last, over the runs created since birth less the look-back."""
    last, good, failures = _Tally(), _Tally(), _Tally()
    ended: dict[str, list[tuple[Instant, str, Outcome]]] = defaultdict(list)
    for run in runs:
        end = run.finished_at
        if end is None or run.is_test or run.created_at < since:
            continue
        ended[run.task].append((end, run.id, _outcome(run)))
    for task, ends in ended.items():
        ends.sort()
        last.keep(max, ends[-1][0] / 1000, task=task)
        for end, _, outcome in ends:
            if outcome is Outcome.SUCCESS:
                good.keep(max, end / 1000, task=task)
        decided = [outcome for _, _, outcome in ends if outcome in {Outcome.SUCCESS, Outcome.FAILURE}]
        row = len(list(takewhile(lambda outcome: outcome is Outcome.FAILURE, reversed(decided))))
        failures.add(row, task=task)
    return {
        "run_last_finished_timestamp_seconds": last.samples(),
        "run_last_success_timestamp_seconds": good.samples(),
        "run_consecutive_failures": failures.samples(),
    }


def _queues(queues: Iterable[Queue]) -> Truth:
    ordered = sorted(queues, key=lambda queue: queue.name)
    return {
        "queue_depth": [({"queue": queue.name}, queue.queued + queue.extra_queued) for queue in ordered],
        "queue_running": [({"queue": queue.name}, queue.running + queue.extra_running) for queue in ordered],
        "queue_concurrency_limit": [({"queue": q.name}, q.limit) for q in ordered if q.limit is not None],
        "queue_paused": [({"queue": queue.name}, int(queue.paused)) for queue in ordered],
    }


def _batches(world: World, birth: Instant, bounds: Buckets) -> Truth:
    triggered, finished, standing, oldest, items = 0, _Tally(), _Tally(), _Tally(), _Tally()
    lasted: dict[tuple[tuple[str, str], ...], list[Instant]] = defaultdict(list)
    for batch in world.batches.values():
        triggered += batch.created_at >= birth
        if batch.status not in {"COMPLETED", "ABORTED"}:
            standing.add(status=batch.status)
            oldest.keep(min, batch.created_at / 1000, status=batch.status)
        elif batch.updated_at >= birth:
            finished.add(status="PARTIAL_FAILED" if batch.was_partial else batch.status)
            items.add(batch.items_created, result="created")
            items.add(batch.items_failed, result="failed")
            lasted[()].append(batch.updated_at - batch.created_at)
    told: Truth = {
        "batches_triggered_total": [({}, triggered)],
        "batches_finished_total": finished.samples(),
        "batches_open": standing.samples(),
        "batches_oldest_open_timestamp_seconds": oldest.samples(),
        "batch_items_total": items.samples(),
    }
    return told | _histogram("batch_duration_seconds", lasted, bounds.batch)


def missed(world: World, schedule: Schedule, since: Instant, now: Instant) -> list[Instant]:
    """The slots of `schedule` after `since` that stayed without a run for five minutes."""
    first = max(since, schedule.created_at)
    due = takewhile(lambda slot: slot <= now - _GRACE, slots(schedule.cron, schedule.timezone, first))
    met = {
        run.created_at
        for key in schedule.run_keys
        if (run := world.runs.get(key)) is not None and run.visible_at <= run.created_at + _GRACE
    }
    return [slot for slot in due if schedule.active_at(slot) and slot not in met]


def _schedules(world: World, since: Instant, now: Instant) -> Truth:
    there, following, lost = _Tally(), _Tally(), _Tally()
    for schedule in world.schedules.values():
        there.add(task=schedule.task, type=schedule.type, active=str(schedule.active).lower())
        if schedule.active:
            following.add(next_slot(schedule.cron, schedule.timezone, now) / 1000, schedule=schedule.id)
        if count := len(missed(world, schedule, since, now)):
            lost.add(count, task=schedule.task, type=schedule.type)
    return {
        "schedules": there.samples(),
        "schedule_next_run_timestamp_seconds": following.samples(),
        "schedule_missed_total": lost.samples(),
    }


def _deployments(world: World, birth: Instant) -> Truth:
    finished, last, waiting = _Tally(), _Tally(), list[Instant]()
    for deployment in world.deployments.values():
        if deployment.status not in DEPLOYMENT_FINAL:
            waiting.append(deployment.created_at)
            continue
        if deployment.ended_at is not None and deployment.ended_at >= birth:
            finished.add(status=deployment.status)
        last.keep(max, (deployment.deployed_at or deployment.created_at) / 1000, status=deployment.status)
    current = world.deployments.get(world.current_deployment or "")
    return {
        "deployments_finished_total": finished.samples(),
        "deployments_open": [({}, len(waiting))],
        "deployments_oldest_open_timestamp_seconds": [({}, min(waiting) / 1000)] if waiting else [],
        "deployment_last_timestamp_seconds": last.samples(),
        "deployment_current_info": [({"version": current.version, "runtime": current.runtime or ""}, 1)]
        if current
        else [],
    }


def _tokens(world: World, birth: Instant) -> Truth:
    finished = _Tally()
    waiting = [token.created_at for token in world.tokens.values() if token.status == "WAITING"]
    for token in world.tokens.values():
        if token.completed_at is not None and token.completed_at >= birth:
            finished.add(status=token.status)
    return {
        "waitpoint_tokens_open": [({}, len(waiting))],
        "waitpoint_tokens_oldest_open_timestamp_seconds": [({}, min(waiting) / 1000)] if waiting else [],
        "waitpoint_tokens_finished_total": finished.samples(),
    }
