"""Answers of the running watcher beside those of the reference, which reads the simulator's world by brute force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import (
    QueueSight,
    StoryBatch,
    StoryDeployment,
    StoryRun,
    StorySchedule,
    StoryToken,
    TargetStory,
)
from triggerdev_alerts.history.story import Story as Told
from triggerdev_alerts.instants import HOUR, MINUTE, Instant
from triggerdev_alerts.signals import (
    ENDINGS,
    FAILURES,
    OPEN_STATUSES,
    PAUSED,
    UNPAUSED,
    Answer,
    Blind,
    Question,
    Readings,
    Unknown,
    Where,
)
from triggerdev_exporter.ledger.strips import Needs, Strip
from triggerdev_exporter.readings.needs import SLACK, need_of
from triggerdev_exporter.readings.signals import LedgerSignals
from triggerdev_exporter.simulator.entities import DEPLOYMENT_FINAL, Run
from triggerdev_exporter.simulator.spellings import spelling
from triggerdev_exporter.simulator.world import World
from triggerdev_exporter.statuses import read_status
from triggerdev_exporter.target import Target

FURTHEST = 3 * HOUR
"""How long before now these tests ask as of."""


def needs_for(questions: Iterable[Question]) -> Needs:
    """What must be kept so that these can be asked, as of any instant of the last `FURTHEST`."""
    needs: dict[Strip, int] = {}
    for question in questions:
        if (found := need_of(question)) is not None:
            strip, reach = found
            needs[strip] = max(needs.get(strip, 0), reach + FURTHEST + SLACK)
    return needs


def told_by(world: World, *, tail: Instant, birth: Instant, seed: bool = False) -> Told:
    """The world as a story, as a dialect tells it.

    What is listed by now is a matter of the world's own clock: the `Date` of its answers may be another one. Runs that
    were created before the look-back and had ended at birth were never to be seen.
    """
    runs = [
        run
        for run in world.runs.values()
        if run.visible_at <= world.now
        and not (run.created_at < tail and run.finished_at is not None and run.finished_at < birth)
    ]
    schedules = [
        StorySchedule(
            id=one.id,
            task=one.task,
            cron=one.cron,
            timezone=one.timezone,
            known_since=max(birth, one.active_since[-1][0]),
            type=one.type,
        )
        for one in world.schedules.values()
        if one.active
    ]
    target = TargetStory(
        name="prod",
        runs=tuple(_run(run, seed=seed) for run in runs),
        queues=tuple(
            QueueSight(
                queue=queue.name,
                at=birth,
                depth=queue.queued + queue.extra_queued,
                running=queue.running + queue.extra_running,
                limit=queue.limit,
                paused=queue.paused,
            )
            for queue in world.queues.values()
        ),
        schedules=tuple(schedules),
        batches=tuple(
            StoryBatch(
                status=batch.status,
                created=batch.created_at,
                ended=batch.updated_at if batch.status in ("COMPLETED", "ABORTED") else None,
                items=batch.items_created + batch.items_failed,
                failed=batch.items_failed,
            )
            for batch in world.batches.values()
        ),
        deployments=tuple(
            StoryDeployment(
                status=one.status,
                created=one.created_at,
                ended=(one.ended_at or one.deployed_at or one.created_at) if one.status in DEPLOYMENT_FINAL else None,
                version=one.version,
            )
            for one in world.deployments.values()
        ),
        tokens=tuple(
            StoryToken(created=token.created_at, completed=token.completed_at or token.timeout_at)
            if token.status != "WAITING"
            else StoryToken(created=token.created_at)
            for token in world.tokens.values()
        ),
        known_since=tail,
    )
    return Told(start=birth, targets=(target,), poll=30_000)


def _run(run: Run, *, seed: bool) -> StoryRun:
    # The seed does not tell until when a run was delayed, nor what it costs.
    return StoryRun(
        id=run.id,
        task=run.task,
        status=read_status(spelling(run.status).dated).value,
        created=run.created_at,
        due=None if seed and run.started_at is not None else run.delayed_until,
        started=run.started_at,
        finished=run.finished_at,
        visible_at=run.visible_at,
        queue=run.queue,
        version=run.version or "",
        tags=run.tags,
        cost=0.0 if seed else (run.cost_nanousd + run.base_cost_nanousd) / 1e9,
        is_test=run.is_test,
    )


class Pair(NamedTuple):
    """One question as of one instant, and both answers."""

    question: Question
    at: Instant
    mine: Answer
    true: Answer


def compare(target: Target, world: World, questions: Sequence[Question], instants: Iterable[Instant]) -> list[Pair]:
    """Where the watcher and the reference do not say the same, as of `instants` (server time)."""
    ledger = target.ledger
    assert ledger is not None
    assert ledger.coverage is not None
    seed = target.dialect is not None and target.dialect.name == "seed"
    reference = StorySignals(told_by(world, tail=ledger.coverage.tail, birth=ledger.birth, seed=seed))
    reference.look(world.now)
    signals = LedgerSignals((target,))
    skew = target.client.meter.server_offset
    pairs = []
    for at in instants:
        for question in questions:
            mine = signals.read(question, "prod", at - skew)
            true = reference.read(question, "prod", at)
            if not (_same(mine, true) or _was_never_told(mine, question, at, ledger.birth)):
                pairs.append(Pair(question, at, mine, true))
    return pairs


def _was_never_told(mine: Answer, question: Question, at: Instant, birth: Instant) -> bool:
    """The queue of runs that ended long before we began is told by nobody: the query looks back ten minutes."""
    begins = at - question.ago - 2 * (question.window or 0)
    return isinstance(mine, Unknown) and mine.reason is Blind.NOT_ENRICHED and begins < birth


def _same(mine: Answer, true: Answer) -> bool:
    if isinstance(mine, Unknown) or isinstance(true, Unknown):
        return isinstance(mine, Unknown) and isinstance(true, Unknown) and mine.reason is true.reason
    if mine.values.keys() != true.values.keys() or dict(mine.samples) != dict(true.samples):
        return False
    return all(abs(value - true.values[key]) <= _allowed(mine, true.values[key]) for key, value in mine.values.items())


def _allowed(mine: Readings, value: float) -> float:
    return 1e-9 * max(1.0, abs(value)) + 1.001 * mine.error * abs(value)


SPLITS = ((), ("task",), ("queue",), ("version",), ("tag",), ("task", "version"), ("queue", "task"))
NARROWS = (
    Where(),
    Where(task=("send*", "slotted")),
    Where(include_test=True),
    Where(version=("2026112*.1", "")),
    Where(tag=("team:*",)),
    Where(queue=("task/s*", "crm")),
)
WINDOWS = (MINUTE, 15 * MINUTE, HOUR, 2 * HOUR)


def window_questions() -> list[Question]:
    """Each signal of windows, split, narrowed and long in many ways, but not in all."""
    questions = []
    for n, (by, where) in enumerate((by, where) for by in SPLITS for where in NARROWS):
        window = WINDOWS[n % len(WINDOWS)]
        ago = window if n % 3 == 0 else 0
        questions += [
            Question("runs_finished", by, where, window, ago, statuses=(FAILURES, ENDINGS, ("EXPIRED",))[n % 3]),
            Question("runs_triggered", by, where, window, ago),
            Question("run_cost", by, where, window, ago),
            Question("run_duration", by, where, window, ago, quantile=(0.5, 0.95, 0.99)[n % 3]),
            Question("run_wait", by, where, window, ago, quantile=(0.01, 0.9, 0.999)[n % 3]),
        ]
    return questions


def open_questions() -> list[Question]:
    """What is asked of runs that are open, and of tasks, as of now."""
    splits = ((), ("task",), ("queue",), ("version", "task"))
    questions = [
        Question("runs_open_older", by, where, statuses=statuses, older_than=older_than)
        for by in splits
        for where in (Where(), Where(include_test=True), Where(task=("s*",)), Where(queue=("task/*",)))
        for statuses, older_than in ((OPEN_STATUSES, 0), (("EXECUTING",), MINUTE), (("QUEUED", "WAITING"), HOUR))
    ]
    for where in (Where(), Where(task=("s*",)), Where(include_test=True)):
        for by in ((), ("task",)):
            questions += [
                Question("last_success_age", by, where),
                Question("consecutive_failures", by, where),
                Question("runs_slow", by, where, times=3.0, floor=MINUTE),
            ]
    questions += [
        Question("queue_oldest_age", by, queues=queues) for by in ((), ("queue",)) for queues in ("", PAUSED, UNPAUSED)
    ]
    return questions


def thing_questions() -> list[Question]:
    """What is asked of everything else, as of now."""
    queues = ("queue_depth", "queue_running", "queue_limit", "queue_paused")
    return [
        *(
            Question(name, by, where)
            for name in queues
            for by in ((), ("queue",))
            for where in (Where(), Where(queue=("task/*",)))
        ),
        *(
            Question(name, by, queues=queues)
            for name in ("queue_depth", "queue_running")
            for by in ((), ("queue",))
            for queues in (PAUSED, UNPAUSED)
        ),
        *(Question("waitpoints_open_older", older_than=older) for older in (0, MINUTE, HOUR)),
        *(Question("deployments_open_older", older_than=older) for older in (0, MINUTE)),
        Question("deployment_failed"),
    ]
