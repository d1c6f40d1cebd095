"""The rows: every condition type there is. What a rule may say under ``when`` is exactly this.

A new condition is a row here and, if nothing there fits, a function in `measures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from triggerdev_alerts.conditions import measures
from triggerdev_alerts.conditions.keys import Condition, Key, Kind
from triggerdev_alerts.conditions.measures import Measures
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND
from triggerdev_alerts.signals import (
    BATCH_STATUSES,
    ENDINGS,
    FAILURES,
    OPEN_STATUSES,
    PAUSED,
    SUCCESSES,
    UNPAUSED,
    Question,
    Readings,
    Unit,
)


class Absent(StrEnum):
    """What it means when a series that has an alert is no longer in the readings."""

    ZERO = "zero"
    """Nothing happened: the condition is false."""
    INSUFFICIENT = "insufficient"
    """A ratio without runs."""
    GONE = "gone"
    """The thing itself is not there any more: no data."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of a condition. An optional one that is Unknown reads as empty."""

    question: Question
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ConditionType:
    """A row."""

    name: str
    help: str
    """When it is true, in one sentence for a person."""
    says: str
    """The default text of an alert; ``{value}``, ``{threshold}``, ``{sample}`` and the keys are filled in."""
    unit: Unit
    """Of value and threshold."""
    keys: tuple[Key, ...]
    dimensions: tuple[str, ...]
    """What ``by`` may name, besides target."""
    by: tuple[str, ...]
    """If not written."""
    asks: Callable[[Condition], Sequence[Ask]]
    measure: Callable[[Condition, Sequence[Readings]], Measures]
    absent: Absent
    narrows: tuple[str, ...] = ()
    """Which of task, queue, tag, version (globs) narrow it."""
    is_blindness: bool = False
    """About the source itself: never Unknown."""
    is_self: bool = False
    """About alerting itself: read once for the target `signals.SELF`, and not offered by whoever watches."""
    says_one: str = ""
    """Like `says`, where the value is 1 and the plural would read badly."""
    shows: tuple[str, ...] = ()
    """In which statuses the runs are that an alert lists, where no key ``status`` says."""
    limit: str = ""
    """How the threshold is told behind `says`; empty where that would say nothing new. Left out if it is 0."""


def _window(help: str = "How far back to count.") -> Key:
    return Key("window", Kind.DURATION, help, least=MINUTE, most=7 * 24 * 60 * MINUTE, example="15m")


def _clear(kind: Kind) -> Key:
    return Key("clear_below", kind, "Once true, it stays true until the value is below this.", None)


_VS = Key(
    "vs_previous",
    Kind.TIMES,
    "Also wants that many times the window before; silent until both are full.",
    None,
    least=1,
)
_MIN_SAMPLE = Key(
    "min_sample", Kind.COUNT, "Of fewer runs nothing can be said.", 20, least=1, from_defaults=True, example="20"
)
_FAILED = Key(
    "status",
    Kind.STATUSES,
    "What counts as a failure.",
    FAILURES,
    choices=tuple(s for s in ENDINGS if s not in SUCCESSES),
)
_IGNORE_PAUSED = Key(
    "ignore_paused", Kind.FLAG, "Whether a paused queue may hold what it likes; the others count all the same.", True
)


def _older(help: str, default: int | None = None, *, example: str = "30m") -> Key:
    if default is None:
        return Key("older_than", Kind.DURATION, help, example=example)
    return Key("older_than", Kind.DURATION, help, default, example=example)


def _finished(condition: Condition, statuses: tuple[str, ...], *, previous: bool = False) -> Ask:
    return _windowed(condition, "runs_finished", previous=previous, statuses=statuses)


def _windowed(
    condition: Condition,
    signal: str,
    *,
    previous: bool = False,
    statuses: tuple[str, ...] = (),
    quantile: float = 0.0,
) -> Ask:
    window = condition.millis("window")
    return Ask(
        Question(
            signal,
            condition.by,
            condition.where,
            window,
            ago=window if previous else 0,
            statuses=statuses,
            quantile=quantile,
        )
    )


def _with_previous(condition: Condition, *make: Callable[[bool], Ask]) -> list[Ask]:
    asks = [one(False) for one in make]
    if condition.values.get("vs_previous") is not None:
        asks += [one(True) for one in make]
    return asks


def _ask(condition: Condition, signal: str, *, optional: bool = False, **more: object) -> Ask:
    return Ask(Question(signal, condition.by, condition.where, **more), optional)  # type: ignore[arg-type]


def _of_queues(condition: Condition, signal: str, queues: str) -> Ask:
    """Split by queue, the measure sees which ones are paused; without, the others must not get into the sum."""
    return _ask(condition, signal, queues="" if condition.by else queues)


def _unless_paused(condition: Condition, signal: str) -> list[Ask]:
    queues = UNPAUSED if condition.values["ignore_paused"] else ""
    return [_of_queues(condition, signal, queues), _ask(condition, "queue_paused", optional=True)]


_RUN = ("task", "queue", "version", "tag")
_OPEN_RUN = ("task", "queue", "version")

_ROWS = (
    ConditionType(
        "failure_rate",
        "Failures ÷ (successes + failures) in the window are above a share.",
        "{value} of {sample} runs failed in {window}",
        Unit.FRACTION,
        (
            _window(),
            Key("above", Kind.PERCENT, "The share.", example="10%", never=1.0),
            _clear(Kind.PERCENT),
            _MIN_SAMPLE,
            _FAILED,
            _VS,
        ),
        _RUN,
        ("task",),
        lambda c: _with_previous(
            c, lambda p: _finished(c, c.words("status"), previous=p), lambda p: _finished(c, SUCCESSES, previous=p)
        ),
        measures.failure_rate,
        Absent.INSUFFICIENT,
        _RUN,
        limit="above {threshold}",
    ),
    ConditionType(
        "failure_count",
        "More runs than that failed in the window.",
        "{value} runs failed in {window}",
        Unit.COUNT,
        (_window(), Key("above", Kind.COUNT, "The number.", example="4"), _clear(Kind.COUNT), _FAILED, _VS),
        _RUN,
        ("task",),
        lambda c: _with_previous(c, lambda p: _finished(c, c.words("status"), previous=p)),
        measures.counted,
        Absent.ZERO,
        _RUN,
        says_one="1 run failed in {window}",
        limit="above {threshold}",
    ),
    ConditionType(
        "consecutive_failures",
        "The newest finished runs of the task all failed, and there are more of them than that.",
        "the last {value} runs failed",
        Unit.COUNT,
        (
            Key("above", Kind.COUNT, "The number.", 2),
            Key("above_scheduled", Kind.COUNT, "The number for tasks that a schedule starts.", 0),
        ),
        ("task",),
        ("task",),
        lambda c: [
            _ask(c, "consecutive_failures"),
            Ask(Question("scheduled_tasks", ("task",)), optional=True),
        ],
        measures.consecutive_failures,
        Absent.ZERO,
        ("task",),
        says_one="the last run failed",
        shows=FAILURES,
        limit="above {threshold}",
    ),
    ConditionType(
        "no_success",
        "The last success is older than that.",
        "no success for {value}",
        Unit.MILLIS,
        (_older("How long without a success.", example="26h"),),
        ("task",),
        ("task",),
        lambda c: [_ask(c, "last_success_age")],
        measures.age,
        Absent.GONE,
        ("task",),
        shows=FAILURES,
        limit="limit {threshold}",
    ),
    ConditionType(
        "no_runs",
        "Nothing was triggered in the window, although the window before held at least `min_before` runs.",
        "no run in {window}, {sample} in the {window} before",
        Unit.COUNT,
        (_window(), Key("min_before", Kind.COUNT, "How many the window before must hold.", 1, least=1)),
        ("task", "queue"),
        ("task",),
        lambda c: [_windowed(c, "runs_triggered"), _windowed(c, "runs_triggered", previous=True)],
        measures.no_runs,
        Absent.ZERO,
        ("task", "queue", "tag"),
    ),
    ConditionType(
        "queue_depth",
        "More runs than that wait in the queue.",
        "{value} runs wait",
        Unit.COUNT,
        (
            Key("above", Kind.COUNT, "The number.", example="500"),
            _clear(Kind.COUNT),
            _IGNORE_PAUSED,
        ),
        ("queue",),
        ("queue",),
        lambda c: _unless_paused(c, "queue_depth"),
        measures.level_unless_paused,
        Absent.GONE,
        ("queue",),
        says_one="1 run waits",
        limit="above {threshold}",
    ),
    ConditionType(
        "queue_age",
        "The oldest run in the queue waits for longer than that. Known for tasks' own queues, others by enrichment.",
        "the oldest run has waited for {value}",
        Unit.MILLIS,
        (Key("above", Kind.DURATION, "How long.", example="10m"), _clear(Kind.DURATION), _IGNORE_PAUSED),
        ("queue",),
        ("queue",),
        lambda c: _unless_paused(c, "queue_oldest_age"),
        measures.level_unless_paused,
        Absent.ZERO,
        ("queue",),
        shows=("QUEUED",),
        limit="above {threshold}",
    ),
    ConditionType(
        "queue_stalled",
        "Runs wait, none runs, and the queue is not paused. Use `for`.",
        "{value} runs wait and none runs",
        Unit.COUNT,
        (),
        ("queue",),
        ("queue",),
        lambda c: [
            _of_queues(c, "queue_depth", UNPAUSED),
            _of_queues(c, "queue_running", UNPAUSED),
            _ask(c, "queue_paused"),
        ],
        measures.queue_stalled,
        Absent.GONE,
        ("queue",),
        says_one="1 run waits and none runs",
    ),
    ConditionType(
        "queue_saturated",
        "Running ÷ limit reaches that share, and runs wait.",
        "{value} of the concurrency limit is used and runs wait",
        Unit.FRACTION,
        (Key("above", Kind.PERCENT, "The share; reaching it is enough.", 1.0, example="100%"),),
        ("queue",),
        ("queue",),
        lambda c: [_ask(c, "queue_depth"), _ask(c, "queue_running"), _ask(c, "queue_limit")],
        measures.queue_saturated,
        Absent.GONE,
        ("queue",),
        limit="at least {threshold}",
    ),
    ConditionType(
        "queue_paused",
        "The queue is paused and runs wait. Use `for`.",
        "paused, and {value} runs wait",
        Unit.COUNT,
        (),
        ("queue",),
        ("queue",),
        lambda c: [_of_queues(c, "queue_depth", PAUSED), _ask(c, "queue_paused")],
        measures.queue_paused,
        Absent.GONE,
        ("queue",),
        says_one="paused, and 1 run waits",
    ),
    ConditionType(
        "stuck_runs",
        "More runs than `above` are in one of the statuses for longer than `older_than`.",
        "{value} runs are {status} for more than {older_than}",
        Unit.COUNT,
        (
            Key("status", Kind.STATUSES, "Where they are stuck.", ("EXECUTING",), choices=OPEN_STATUSES),
            _older("For how long."),
            Key("above", Kind.COUNT, "The number.", 0),
        ),
        _OPEN_RUN,
        ("task",),
        lambda c: [
            _ask(c, "runs_open_older", statuses=c.words("status"), older_than=c.millis("older_than")),
        ],
        measures.level,
        Absent.ZERO,
        _OPEN_RUN,
        says_one="1 run is {status} for more than {older_than}",
        limit="above {threshold}",
    ),
    ConditionType(
        "slow_runs",
        "A run executes for longer than max(`floor`, `times` × its task's p99 of the last day).",
        "{value} runs execute for more than {times} times the usual",
        Unit.COUNT,
        (
            Key("times", Kind.TIMES, "How many times the p99.", 3.0, least=1),
            Key("floor", Kind.DURATION, "Shorter ones are never slow.", 30 * MINUTE),
        ),
        ("task",),
        ("task",),
        lambda c: [_ask(c, "runs_slow", times=c.number("times"), floor=c.millis("floor"))],
        measures.some,
        Absent.ZERO,
        ("task",),
        says_one="1 run executes for more than {times} times the usual",
        shows=("EXECUTING",),
    ),
    ConditionType(
        "duration",
        "A percentile of how long runs take is above that.",
        "{quantile} of durations in {window} is {value}",
        Unit.MILLIS,
        (
            _window(),
            Key("quantile", Kind.QUANTILE, "Which.", 0.95, least=0.01, most=0.999),
            Key("above", Kind.DURATION, "How long.", example="5m"),
            _clear(Kind.DURATION),
            _MIN_SAMPLE,
        ),
        _RUN,
        ("task",),
        lambda c: [_windowed(c, "run_duration", quantile=c.number("quantile"))],
        measures.percentile,
        Absent.INSUFFICIENT,
        _RUN,
        limit="above {threshold}",
    ),
    ConditionType(
        "wait",
        "A percentile of how long runs wait before they start is above that.",
        "{quantile} of waits in {window} is {value}",
        Unit.MILLIS,
        (
            _window(),
            Key("quantile", Kind.QUANTILE, "Which.", 0.95, least=0.01, most=0.999),
            Key("above", Kind.DURATION, "How long.", example="1m"),
            _clear(Kind.DURATION),
            _MIN_SAMPLE,
        ),
        _RUN,
        ("task",),
        lambda c: [_windowed(c, "run_wait", quantile=c.number("quantile"))],
        measures.percentile,
        Absent.INSUFFICIENT,
        _RUN,
        limit="above {threshold}",
    ),
    ConditionType(
        "expired_runs",
        "The share (`5%`) or number (`5`) of runs that expired before they started is above that.",
        "{value} of {sample} runs expired in {window}",
        Unit.FRACTION,
        (
            _window(),
            Key("above", Kind.PERCENT_OR_COUNT, "The share or number.", example="5%", never=1.0),
            Key("floor", Kind.COUNT, "At least so many must have expired.", 0),
            _VS,
        ),
        _RUN,
        ("task",),
        lambda c: _with_previous(
            c,
            lambda p: _finished(c, ("EXPIRED",), previous=p),
            lambda p: _finished(c, tuple(s for s in ENDINGS if s != "EXPIRED"), previous=p),
        ),
        measures.expired,
        Absent.ZERO,
        _RUN,
        shows=("EXPIRED",),
        limit="above {threshold}",
    ),
    ConditionType(
        "trigger_spike",
        "More than `times` × the window before were triggered, and more than `floor`.",
        "{value} runs triggered in {window}",
        Unit.COUNT,
        (
            _window(),
            Key("times", Kind.TIMES, "How many times the window before.", example="5x", least=1),
            Key("floor", Kind.COUNT, "Fewer are never a spike.", example="100"),
        ),
        ("task", "queue"),
        ("task",),
        lambda c: [_windowed(c, "runs_triggered"), _windowed(c, "runs_triggered", previous=True)],
        measures.spike,
        Absent.ZERO,
        ("task", "queue", "tag"),
        limit="above {threshold}",
    ),
    ConditionType(
        "batch_failures",
        "Items of batches that ended in the window and became no run, as a share of all their items, are above that.",
        "{value} of {sample} batch items failed in {window}",
        Unit.FRACTION,
        (_window(), Key("failed_items_above", Kind.PERCENT, "The share.", example="0%", never=1.0)),
        (),
        (),
        lambda c: [_windowed(c, "batch_items_failed"), _windowed(c, "batch_items")],
        measures.batch_failures,
        Absent.ZERO,
        limit="above {threshold}",
    ),
    ConditionType(
        "batch_stuck",
        "A batch is in one of the statuses for longer than that.",
        "{value} batches are {status} for more than {older_than}",
        Unit.COUNT,
        (
            Key("status", Kind.STATUSES, "Where it is stuck.", ("PROCESSING",), choices=BATCH_STATUSES),
            _older("For how long.", example="15m"),
        ),
        (),
        (),
        lambda c: [_ask(c, "batches_open_older", statuses=c.words("status"), older_than=c.millis("older_than"))],
        measures.some,
        Absent.ZERO,
        says_one="1 batch is {status} for more than {older_than}",
    ),
    ConditionType(
        "missed_schedule",
        "The latest slots of a schedule passed without a run, at least `consecutive` of them.",
        "{value} slots in a row passed without a run",
        Unit.COUNT,
        (
            Key("grace", Kind.DURATION, "How late a run may be for its slot.", 5 * MINUTE),
            Key("early", Kind.DURATION, "How early.", MINUTE),
            Key("consecutive", Kind.COUNT, "How many in a row.", 1, least=1),
        ),
        ("task", "schedule"),
        ("task",),
        lambda c: [
            _ask(c, "missed_slots", grace=c.millis("grace"), early=c.millis("early")),
            Ask(Question("schedules_missing"), optional=True),
        ],
        measures.missed,
        Absent.GONE,
        ("task",),
        says_one="the latest slot passed without a run",
    ),
    ConditionType(
        "all_schedules_missed",
        "Every active schedule (of at least two) missed its latest slot: the platform starts nothing.",
        "no schedule starts its runs",
        Unit.FRACTION,
        (),
        (),
        (),
        lambda c: [_ask(c, "schedules_missing")],
        measures.all_missed,
        Absent.ZERO,
    ),
    ConditionType(
        "deployment_failed",
        "The newest ended deployment failed or timed out.",
        "the newest deployment failed",
        Unit.FLAG,
        (),
        (),
        (),
        lambda c: [_ask(c, "deployment_failed")],
        measures.some,
        Absent.ZERO,
    ),
    ConditionType(
        "deployment_stuck",
        "A deployment is open for longer than that.",
        "{value} deployments are open for more than {older_than}",
        Unit.COUNT,
        (_older("For how long.", 15 * MINUTE, example="15m"),),
        (),
        (),
        lambda c: [_ask(c, "deployments_open_older", older_than=c.millis("older_than"))],
        measures.some,
        Absent.ZERO,
        says_one="1 deployment is open for more than {older_than}",
    ),
    ConditionType(
        "waitpoint_stale",
        "A waitpoint token waits for longer than that.",
        "{value} waitpoint tokens wait for more than {older_than}",
        Unit.COUNT,
        (_older("For how long.", example="24h"),),
        (),
        (),
        lambda c: [_ask(c, "waitpoints_open_older", older_than=c.millis("older_than"))],
        measures.some,
        Absent.ZERO,
        says_one="1 waitpoint token waits for more than {older_than}",
    ),
    ConditionType(
        "cost",
        "The runs that ended in the window cost more than that.",
        "{value} spent in {window}",
        Unit.USD,
        (_window(), Key("above", Kind.MONEY, "How much.", example="50 USD"), _VS),
        _RUN,
        (),
        lambda c: _with_previous(c, lambda p: _windowed(c, "run_cost", previous=p)),
        measures.counted,
        Absent.ZERO,
        _RUN,
        limit="above {threshold}",
    ),
    ConditionType(
        "view_lag",
        "Runs become visible to the API later than that.",
        "runs become visible {value} late",
        Unit.MILLIS,
        (Key("above", Kind.DURATION, "How late.", 5 * MINUTE),),
        (),
        (),
        lambda c: [_ask(c, "view_lag")],
        measures.level,
        Absent.ZERO,
        limit="above {threshold}",
    ),
    ConditionType(
        "source_down",
        "A collector had no successful tick for that long; if not written, for three of its intervals.",
        "no successful look at the API for {value}",
        Unit.MILLIS,
        (
            Key("older_than", Kind.DURATION, "For how long.", None, example="15m"),
            Key("reason", Kind.WORD, "Only failures of that kind.", "any", choices=("any", "auth")),
        ),
        ("collector",),
        (),
        lambda c: [
            Ask(Question("collector_age", ("collector",), reason=str(c.values["reason"]))),
            Ask(Question("collector_interval", ("collector",))),
        ],
        measures.source_down,
        Absent.ZERO,
        is_blindness=True,
        limit="limit {threshold}",
    ),
    ConditionType(
        "quota_low",
        "Less than that share of the rate limit is left.",
        "{value} of the rate limit is left",
        Unit.FRACTION,
        (Key("below", Kind.PERCENT, "The share.", 0.1, example="10%", never=0.0),),
        (),
        (),
        lambda c: [_ask(c, "quota_remaining")],
        measures.below,
        Absent.ZERO,
        is_blindness=True,
        limit="below {threshold}",
    ),
    ConditionType(
        "clock_skew",
        "Our clock and the server's are further apart than that.",
        "our clock is {value} off",
        Unit.MILLIS,
        (Key("above", Kind.DURATION, "How far.", 30 * SECOND),),
        (),
        (),
        lambda c: [_ask(c, "clock_skew")],
        measures.level,
        Absent.ZERO,
        is_blindness=True,
        limit="above {threshold}",
    ),
    ConditionType(
        "notifier_failing",
        "A receiver takes nothing for that long, or a notification to it was given up in the last hour.",
        "failing for {value}, {sample} given up in the last hour",
        Unit.MILLIS,
        (Key("older_than", Kind.DURATION, "For how long.", 5 * MINUTE),),
        ("receiver",),
        ("receiver",),
        lambda c: [_ask(c, "receiver_failing_age"), _ask(c, "dead_letters")],
        measures.notifier,
        Absent.ZERO,
        is_self=True,
        limit="limit {threshold}",
    ),
    ConditionType(
        "outbox_stalled",
        "A notification waits to be delivered for longer than that.",
        "the oldest notification waits for {value}",
        Unit.MILLIS,
        (Key("older_than", Kind.DURATION, "For how long.", 15 * MINUTE),),
        ("receiver",),
        ("receiver",),
        lambda c: [_ask(c, "outbox_age")],
        measures.age,
        Absent.ZERO,
        is_self=True,
        limit="limit {threshold}",
    ),
    ConditionType(
        "rule_failing",
        "A rule could not be evaluated for that long.",
        "could not be evaluated for {value}",
        Unit.MILLIS,
        (Key("older_than", Kind.DURATION, "For how long.", 10 * MINUTE),),
        ("rule",),
        ("rule",),
        lambda c: [_ask(c, "rule_error_age")],
        measures.age,
        Absent.ZERO,
        is_self=True,
        limit="limit {threshold}",
    ),
    ConditionType(
        "rule_never_matched",
        "A rule has never read any series for that long: its globs may be wrong.",
        "has matched nothing for {value}",
        Unit.MILLIS,
        (Key("older_than", Kind.DURATION, "For how long.", 24 * HOUR),),
        ("rule",),
        ("rule",),
        lambda c: [_ask(c, "rule_unmatched_age")],
        measures.age,
        Absent.ZERO,
        is_self=True,
        limit="limit {threshold}",
    ),
)

CONDITIONS: dict[str, ConditionType] = {row.name: row for row in _ROWS}


def shown(condition: Condition) -> tuple[str, ...]:
    """In which statuses the runs are that an alert of it lists."""
    return condition.words("status") if "status" in condition.values else CONDITIONS[condition.type].shows
