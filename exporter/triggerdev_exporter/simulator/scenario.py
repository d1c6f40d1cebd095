"""What a world is made of, as data: tasks and how they behave, queues, schedules, and what else happens how often.

No behaviour lives here (`life.py` plays it). `SCENARIOS` names those that the command line offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from triggerdev_exporter.clock import DAY, MINUTE, SECOND, Instant

_MOSTLY_FINE: Mapping[str, float] = {"COMPLETED_SUCCESSFULLY": 97.0, "COMPLETED_WITH_ERRORS": 3.0}


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task and the dice that decide the fate of its runs. Probabilities are 0..1, durations milliseconds."""

    name: str
    per_second: float = 0.0
    """Runs triggered a second, on average, by the user's program."""
    queue: str | None = None
    """A custom queue; ``None`` is the task's own."""
    run_ms: Instant = 2 * SECOND
    """Median time of one attempt."""
    spread: float = 0.6
    outcomes: Mapping[str, float] = field(default_factory=lambda: _MOSTLY_FINE)
    """Weights of the database statuses in which a started run ends."""
    retry: float = 0.0
    max_attempts: int = 3
    wait: float = 0.0
    wait_ms: Instant = 20 * SECOND
    delay: float = 0.0
    delay_ms: Instant = MINUTE
    ttl_ms: Instant | None = None
    cancel: float = 0.0
    test: float = 0.0
    burst: float = 0.0
    """Chance that an arrival is eight runs of the same millisecond."""
    stuck: float = 0.0
    """Chance to stay DEQUEUED for `stuck_ms`, then SYSTEM_FAILURE."""
    stuck_ms: Instant = 15 * MINUTE
    next_version: float = 0.0
    """Chance to be triggered for a version that is not deployed yet."""
    child: str | None = None
    child_chance: float = 0.0
    tags: tuple[str, ...] = ()
    machine: str = "small-1x"
    error: tuple[str, str] = ("Error", "upstream said 502")
    storm_every_ms: Instant | None = None
    """So often, for `storm_ms`, `storm_failing` of the ends are failures: what an alert should see."""
    storm_ms: Instant = 6 * MINUTE
    storm_failing: float = 0.6


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A custom queue."""

    name: str
    limit: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A cron schedule of one task."""

    task: str
    cron: str
    timezone: str = "UTC"
    type: str = "DECLARATIVE"
    active: bool = True
    broken: bool = False
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """Batches of one task that come every so often."""

    task: str
    every_ms: Instant
    items: tuple[int, int] = (5, 40)
    partial: float = 0.0
    aborted: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole environment."""

    name: str
    tasks: tuple[TaskSpec, ...] = ()
    queues: tuple[QueueSpec, ...] = ()
    schedules: tuple[ScheduleSpec, ...] = ()
    batches: tuple[BatchSpec, ...] = ()
    environment_limit: int | None = None
    deploy_every_ms: Instant | None = None
    token_every_ms: Instant | None = None
    deployed_at_start: bool = True
    preload: int = 0
    """Finished runs that are there from the start, spread evenly over `preload_ms` before it."""
    preload_ms: Instant = DAY


def shop(*, storm_every_ms: Instant = 40 * MINUTE, storm_ms: Instant = 6 * MINUTE) -> Scenario:
    """A web shop with the usual troubles: the demo. Now and then charge-card fails for a while."""
    return Scenario(
        name="shop",
        environment_limit=60,
        deploy_every_ms=30 * MINUTE,
        token_every_ms=2 * MINUTE,
        queues=(QueueSpec("video", limit=2), QueueSpec("emails", limit=10), QueueSpec("crm", limit=5, paused=True)),
        tasks=(
            TaskSpec(
                "send-email",
                per_second=0.6,
                queue="emails",
                run_ms=900,
                retry=0.05,
                burst=0.02,
                tags=("team:growth",),
                outcomes={"COMPLETED_SUCCESSFULLY": 94, "COMPLETED_WITH_ERRORS": 5, "TIMED_OUT": 1},
                error=("SmtpError", "mailbox unavailable"),
                test=0.01,
            ),
            TaskSpec(
                "charge-card",
                per_second=0.25,
                run_ms=1800,
                retry=0.06,
                tags=("team:payments",),
                outcomes={"COMPLETED_SUCCESSFULLY": 91, "COMPLETED_WITH_ERRORS": 8, "CRASHED": 1},
                error=("PaymentError", "card was declined"),
                storm_every_ms=storm_every_ms,
                storm_ms=storm_ms,
                child="send-email",
                child_chance=0.3,
            ),
            TaskSpec(
                "build-report",
                per_second=0.03,
                run_ms=25 * SECOND,
                wait=0.3,
                delay=0.1,
                cancel=0.02,
                machine="medium-1x",
                tags=("team:data",),
                outcomes={"COMPLETED_SUCCESSFULLY": 93, "COMPLETED_WITH_ERRORS": 6, "SYSTEM_FAILURE": 1},
                next_version=0.02,
                stuck=0.005,
            ),
            TaskSpec("sync-crm", per_second=0.002, queue="crm", run_ms=4 * SECOND, ttl_ms=45 * MINUTE),
            TaskSpec(
                "encode-video",
                per_second=0.02,
                queue="video",
                run_ms=70 * SECOND,
                machine="large-1x",
                ttl_ms=30 * MINUTE,
                tags=("team:media",),
                outcomes={"COMPLETED_SUCCESSFULLY": 92, "CRASHED": 6, "TIMED_OUT": 2},
            ),
            TaskSpec("poll-orders", run_ms=3 * SECOND),
            TaskSpec("nightly-digest", run_ms=40 * SECOND, child="send-email", child_chance=1.0),
            TaskSpec("refresh-prices", run_ms=8 * SECOND, retry=0.1),
        ),
        schedules=(
            ScheduleSpec("poll-orders", "* * * * *"),
            ScheduleSpec("refresh-prices", "*/5 * * * *"),
            ScheduleSpec("build-report", "*/15 * * * *", "America/New_York", "IMPERATIVE", external_id="cust_7"),
            ScheduleSpec("build-report", "7 * * * *", type="IMPERATIVE", external_id="cust_42"),
            ScheduleSpec("nightly-digest", "0 3 * * *", "Europe/London"),
            ScheduleSpec("sync-crm", "30 2 * * 1-5", type="IMPERATIVE", active=False),
        ),
        batches=(
            BatchSpec("send-email", every_ms=4 * MINUTE, items=(10, 60), partial=0.15, aborted=0.03),
            BatchSpec("encode-video", every_ms=20 * MINUTE, items=(4, 9)),
        ),
    )


def busy(*, per_second: float = 5.0, tasks: int = 10, preload: int = 0, preload_ms: Instant = DAY) -> Scenario:
    """Many short runs. With `preload`, that many finished ones are there at once."""
    return Scenario(
        name="busy",
        tasks=tuple(
            TaskSpec(f"task-{number:02d}", per_second=per_second / tasks, run_ms=1500, retry=0.02, burst=0.01)
            for number in range(tasks)
        ),
        preload=preload,
        preload_ms=preload_ms,
    )


def idle() -> Scenario:
    """Fifty queues, fifty schedules, and nothing happens."""
    return Scenario(
        name="idle",
        tasks=tuple(TaskSpec(f"task-{number:02d}") for number in range(25)),
        queues=tuple(QueueSpec(f"queue-{number:02d}", limit=10) for number in range(25)),
        schedules=tuple(ScheduleSpec(f"task-{number % 25:02d}", "0 0 1 1 *", active=False) for number in range(50)),
    )


def empty() -> Scenario:
    """Nothing at all: for scripts."""
    return Scenario(name="empty", deployed_at_start=False)


EMPTY = empty()

SCENARIOS: dict[str, Callable[[], Scenario]] = {"shop": shop, "busy": busy, "idle": idle, "empty": empty}
