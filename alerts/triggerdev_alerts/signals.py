"""The port: what alert rules may ask, and what whoever watches answers. Owned by the alerts; knows no Trigger.dev.

A `Question` is a value: signal, window, dimensions, narrowing. An answer is `Readings` (one number a series) or
`Unknown` with the reason. A target that cannot be trusted answers `Unknown`, never a smaller number. Keys of readings
are the values of the question's `by`, in its order; the target is not among them, since answers come by target.

Adding a signal is a row in `SIGNALS`, a branch in `history/` (the reference, by brute force) and one in the
exporter's `readings/`; a test tells which is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from triggerdev_alerts.instants import MINUTE, Instant

Key = tuple[str, ...]

OPEN_STATUSES = ("DELAYED", "PENDING_VERSION", "QUEUED", "DEQUEUED", "EXECUTING", "WAITING")
SUCCESSES = ("COMPLETED",)
FAILURES = ("FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT")
ENDINGS = (*SUCCESSES, *FAILURES, "CANCELED", "EXPIRED")
BATCH_STATUSES = ("PENDING", "PROCESSING", "PARTIAL_FAILED")


class Unit(StrEnum):
    """What a signal's numbers count, and so how a message writes them."""

    COUNT = "count"
    FRACTION = "fraction"
    MILLIS = "duration"
    USD = "money"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that can be asked. A row of `SIGNALS`."""

    name: str
    help: str
    unit: Unit
    dimensions: tuple[str, ...]
    """What a question may split it by."""
    source: str
    """The collector whose silence makes it Unknown."""
    windowed: bool = False
    parameters: tuple[str, ...] = ()
    """Which of `Question`'s further fields it reads."""


_RUN = ("task", "queue", "version", "tag")

SIGNALS: dict[str, Signal] = {
    row.name: row
    for row in (
        # Windowed: events whose instant lies in (end − window, end].
        Signal("runs_finished", "runs that ended in one of `statuses`", Unit.COUNT, _RUN, "runs", True, ("statuses",)),
        Signal("runs_triggered", "runs created", Unit.COUNT, _RUN, "runs", True),
        Signal("run_cost", "cost of the runs that ended", Unit.USD, _RUN, "runs", True),
        Signal("run_duration", "percentile of started-to-finished", Unit.MILLIS, _RUN, "runs", True, ("quantile",)),
        Signal("run_wait", "percentile of due-to-started", Unit.MILLIS, _RUN, "runs", True, ("quantile",)),
        Signal("batch_items", "items of batches that ended", Unit.COUNT, (), "batches", True),
        Signal("batch_items_failed", "items of them that became no run", Unit.COUNT, (), "batches", True),
        # As of an instant.
        Signal("consecutive_failures", "failures since the last success", Unit.COUNT, ("task",), "runs"),
        Signal("scheduled_tasks", "1 for each task that an active schedule starts", Unit.FLAG, ("task",), "schedules"),
        Signal("last_success_age", "time since the last success", Unit.MILLIS, ("task",), "runs"),
        Signal(
            "runs_open_older",
            "runs in one of `statuses` for longer than `older_than`",
            Unit.COUNT,
            ("task", "queue", "version"),
            "runs",
            parameters=("statuses", "older_than"),
        ),
        Signal(
            "runs_slow",
            "runs that execute for longer than max(`floor`, `times` × their task's p99 of the last day)",
            Unit.COUNT,
            ("task",),
            "runs",
            parameters=("times", "floor"),
        ),
        Signal("queue_depth", "runs that wait in the queue", Unit.COUNT, ("queue",), "queues", parameters=("queues",)),
        Signal("queue_running", "runs of the queue that run", Unit.COUNT, ("queue",), "queues", parameters=("queues",)),
        Signal("queue_limit", "concurrency limit; absent where there is none", Unit.COUNT, ("queue",), "queues"),
        Signal("queue_paused", "1 while the queue is paused", Unit.FLAG, ("queue",), "queues"),
        Signal(
            "queue_oldest_age",
            "how long the oldest run waits, where known",
            Unit.MILLIS,
            ("queue",),
            "queues",
            parameters=("queues",),
        ),
        Signal(
            "batches_open_older",
            "batches in one of `statuses` older than `older_than`",
            Unit.COUNT,
            (),
            "batches",
            parameters=("statuses", "older_than"),
        ),
        Signal(
            "missed_slots",
            "how many of a schedule's latest judged slots in a row no run met",
            Unit.COUNT,
            ("schedule", "task"),
            "schedules",
            parameters=("grace", "early"),
        ),
        Signal(
            "schedules_missing",
            "share of active schedules whose latest slot was missed",
            Unit.FRACTION,
            (),
            "schedules",
        ),
        Signal("deployment_failed", "1 while the newest ended deployment failed", Unit.FLAG, (), "deployments"),
        Signal(
            "deployments_open_older",
            "deployments open for longer than `older_than`",
            Unit.COUNT,
            (),
            "deployments",
            parameters=("older_than",),
        ),
        Signal(
            "waitpoints_open_older",
            "waitpoint tokens that wait for longer than `older_than`",
            Unit.COUNT,
            (),
            "waitpoints",
            parameters=("older_than",),
        ),
        Signal("view_lag", "how late runs become visible; absent without evidence", Unit.MILLIS, (), "runs"),
        # Never Unknown: they are about being blind.
        Signal(
            "collector_age",
            "time since the last successful tick; only collectors that fail for `reason`, if one is given",
            Unit.MILLIS,
            ("collector",),
            "",
            parameters=("reason",),
        ),
        Signal("collector_interval", "how often it should succeed", Unit.MILLIS, ("collector",), ""),
        Signal("quota_remaining", "what is left of the rate limit; absent where it is not told", Unit.FRACTION, (), ""),
        Signal(
            "clock_skew", "how far our clock is from the server's; absent before the first answer", Unit.MILLIS, (), ""
        ),
    )
}

SELF = ""
"""The target of what alerting says about itself."""

SELF_SIGNALS: dict[str, Signal] = {
    row.name: row
    for row in (
        Signal("receiver_failing_age", "since when nothing reaches a receiver", Unit.MILLIS, ("receiver",), ""),
        Signal("dead_letters", "letters given up in the last hour", Unit.COUNT, ("receiver",), ""),
        Signal("outbox_age", "age of the oldest open letter", Unit.MILLIS, ("receiver",), ""),
        Signal("rule_error_age", "since when a rule cannot be evaluated", Unit.MILLIS, ("rule",), ""),
        Signal("rule_unmatched_age", "since when a rule never read any series", Unit.MILLIS, ("rule",), ""),
    )
}
"""What the engine answers itself (`introspection.py`), for the target `SELF`."""


PAUSED, UNPAUSED = "paused", "unpaused"


@dataclass(frozen=True, slots=True)
class Where:
    """Globs that narrow a question; empty means everything."""

    task: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    include_test: bool = False

    def admits(self, *, task: str, version: str, queue: str | None, tags: Collection[str]) -> bool:
        """Whether such a run is inside. A queue that is not told is in doubt."""
        return (
            _any(self.task, task)
            and _any(self.version, version)
            and (queue is None or _any(self.queue, queue))
            and (not self.tag or any(_any(self.tag, tag) for tag in tags))
        )


def _any(globs: tuple[str, ...], value: str) -> bool:
    return not globs or any(fnmatchcase(value, glob) for glob in globs)


EVERYTHING = Where()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Hashable: equal questions of many rules are asked once a tick."""

    signal: str
    by: tuple[str, ...] = ()
    where: Where = EVERYTHING
    window: int | None = None
    """Milliseconds."""
    ago: int = 0
    """How long before now the window ends, milliseconds: 0, or a window for the one before."""
    statuses: tuple[str, ...] = ()
    older_than: int = 0
    quantile: float = 0.0
    times: float = 0.0
    floor: int = 0
    grace: int = 0
    early: int = 0
    reason: str = ""
    queues: str = ""
    """`PAUSED` or `UNPAUSED`: what waits or runs in other queues is left out."""

    def is_of(self, *, paused: bool) -> bool:
        """Whether what is in a queue that is or is not paused is asked for."""
        return self.queues in ("", PAUSED if paused else UNPAUSED)


class Blind(StrEnum):
    """Why nothing can be said. The values appear in messages and logs."""

    STARTING = "starting"
    """Nothing was read yet."""
    FAILING = "failing"
    """The last tick of the collector failed, or its data is older than three intervals."""
    AUTH = "auth"
    UNSUPPORTED = "unsupported"
    """The key or the server does not offer this."""
    CATCHING_UP = "catching_up"
    """The asked time is not read completely."""
    UNFILLED = "unfilled"
    """The window reaches back further than what is remembered."""
    NOT_ENRICHED = "not_enriched"
    """The server did not tell this dimension."""
    VANISHED = "vanished"
    """Everything of this kind is gone at once; that is not believed."""
    NOT_RECORDED = "not_recorded"
    """A recording does not hold this question."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The data cannot be trusted. `text` says so in words, for the page and the log."""

    reason: Blind
    text: str = ""


@dataclass(frozen=True, slots=True)
class Readings:
    """One number a series, by key. A key that is absent had nothing to tell (a count of 0, an entity that is gone)."""

    values: Mapping[Key, float]
    samples: Mapping[Key, int] = field(default_factory=dict)
    """Percentiles: of how many values."""
    error: float = 0.0
    """Percentiles: relative error."""


Answer = Readings | Unknown


class Signals(Protocol):
    """Whoever watches. Reads memory only: it never waits, and never raises for a question that is well formed."""

    def targets(self) -> tuple[str, ...]:
        """Names of all targets, in a stable order."""
        ...

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        """The answer as of `at`. Windowed questions end at `at` − `question.ago`, aligned down by `aligned`."""
        ...


CELL, LONG_CELL = 10_000, MINUTE
"""Widths of the cells that windows are made of: up to an hour, and above."""
LONG_WINDOW = 60 * MINUTE


def aligned(end: Instant, window: int) -> Instant:
    """The edge of cells at or before `end`: where a window of that length can end exactly."""
    cell = CELL if window <= LONG_WINDOW else LONG_CELL
    return end - end % cell


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """One kind of error in the window, normalised and capped."""

    name: str
    message: str
    count: int
    """In the runs of the window, or in those of them that were looked at."""


@dataclass(frozen=True, slots=True)
class RunLink:
    """A run worth opening. `url` is empty where the dashboard's address is not known."""

    id: str
    url: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a tired person looks at first. All of it may be empty; it is never a label."""

    errors: tuple[ErrorCount, ...] = ()
    runs: tuple[RunLink, ...] = ()
    since_version: str = ""
    """The first version that failed, if all failures are of one version and an older one succeeded."""
    notes: tuple[str, ...] = ()
    """Sentences: the queue's numbers, the stuck run's age, the failing collector's trouble."""


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What evidence is wanted for: one series of one rule."""

    condition: str
    target: str
    labels: tuple[tuple[str, str], ...]
    window: int
    """Milliseconds to look back."""
    where: Where = EVERYTHING
    """What the rule is narrowed to."""
    statuses: tuple[str, ...] = ()
    """The runs that are shown are in one of these, or ended in one; none: no runs are."""
    older_than: int = 0
    """Milliseconds: only open runs that are in their status for longer."""
    errors: int = 3
    runs: int = 5
    texts: str = "message"
    """``message``, ``name`` (no error texts leave) or ``off``."""

    def concerns(self, *, task: str, version: str, queue: str | None, tags: Collection[str] = ()) -> bool:
        """Whether such a run is of the series. A label that is not there says nothing, nor does an untold queue."""
        labels = dict(self.labels)
        return (
            labels.get("task", task) == task
            and labels.get("version", version) == version
            and (queue is None or labels.get("queue", queue) == queue)
            and ("tag" not in labels or labels["tag"] in tags)
            and self.where.admits(task=task, version=version, queue=queue, tags=tags)
        )


class Witness(Protocol):
    """Gathers evidence. `prepare` may start requests in the background; `evidence` says what is known by now."""

    def prepare(self, wanted: Wanted) -> None: ...

    def evidence(self, wanted: Wanted, at: Instant) -> Evidence: ...
