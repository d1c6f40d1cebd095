"""Stages for tests: the series at which a condition just holds, and those at which it just does not. Pure.

One function a condition, beside `conditions.py`: whoever changes a threshold in the document finds a test red.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.export.conditions import FAMILIES, UNTARGETED
from triggerdev_alerts.export.promql import number
from triggerdev_alerts.instants import MINUTE
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import SUCCESSES

EVERY = MINUTE
"""How often the rules are evaluated there, whatever their group says."""

Shape = Callable[[int, int], str]
"""The values of a series in promtool's notation: from the number of steps and the length of one, milliseconds."""

NAMES = {
    "target": "shop-prod",
    "task": "send-email",
    "queue": "emails",
    "schedule": "nightly",
    "version": "20261124.1",
    "tag": "team:a",
    "collector": "runs",
    "receiver": "ops",
    "rule": "Other",
}
"""What things are called in tests, unless the rule wants another name."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series."""

    family: str
    labels: Mapping[str, str]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Stage:
    """What is given. The condition holds from `since` on, or never."""

    name: str
    lines: tuple[Line, ...]
    since: int
    """Milliseconds; for one that never holds, when it would."""
    holds: bool = False


class Staging:
    """The words in which stages are written: one rule, and names that it is about."""

    def __init__(self, rule: Rule) -> None:
        when = rule.when
        self.rule = rule
        self.value = when.values
        self.names = {
            **NAMES,
            "target": example(when.targets, NAMES["target"]),
            "task": example(when.where.task, NAMES["task"]),
            "queue": example(when.where.queue, NAMES["queue"]),
        }
        dimensions = (*(() if CONDITIONS[when.type].is_self else ("target",)), *when.by)
        self.labels = {name: self.names[name] for name in dimensions}

    def line(self, family: str, shape: Shape, **labels: str) -> Line:
        own = {name: self.names[name] for name in FAMILIES[family] if name in self.names}
        target = {} if family in UNTARGETED else {"target": self.names["target"]}
        return Line(family, {**target, **own, **labels}, shape)

    def number(self, key: str) -> float:
        return self.rule.when.number(key)

    def millis(self, key: str) -> int:
        return self.rule.when.millis(key)

    def words(self, key: str) -> tuple[str, ...]:
        return self.rule.when.words(key)

    @property
    def window(self) -> int:
        return self.millis("window")

    @property
    def times(self) -> float | None:
        """How many times the window before, where the rule compares with it."""
        value = self.value.get("vs_previous")
        return None if value is None else float(value)  # type: ignore[arg-type]  # a number, by its row


def example(globs: Sequence[str], otherwise: str) -> str:
    """A name that one of `globs` matches."""
    if not globs or any(fnmatchcase(otherwise, glob) for glob in globs):
        return otherwise
    text = globs[0].replace("*", "x").replace("?", "x")
    return text if fnmatchcase(text, globs[0]) else globs[0]


def tick(at: int) -> int:
    """The first evaluation at or after that."""
    return -(-at // EVERY) * EVERY


def fires_at(rule: Rule, since: int) -> int:
    """When the alert fires, if its condition holds from then on."""
    return tick(tick(since) + rule.for_)


def flat(value: float) -> Shape:
    return lambda steps, _: f"{number(value)}+0x{steps}"


def growing(count: float, window: int) -> Shape:
    """A counter that grows by `count` in each window, evenly."""
    return lambda steps, step: f"0+{count * step / window:.12g}x{steps}"


def stepping(before: float, now: float, window: int) -> Shape:
    """A counter that grew by `before` in the first window and by `now` in the second, each at its very end."""

    def shape(steps: int, step: int) -> str:
        width = window // step
        rest = max(steps - 2 * width, 0)
        return f"0+0x{width - 1} {number(before)}+0x{width - 1} {number(before + now)}+0x{rest}"

    return shape


def older(millis: int) -> Shape:
    """A timestamp that is that old at the beginning."""
    return flat(-millis / 1000)


def above(value: float) -> float:
    """Just more than that: by half where it counts things."""
    return value + 0.5 if value == int(value) and value >= 1 else value * 1.01 if value else 0.004


def below(value: float) -> float:
    """Just not more than that."""
    return value - 0.5 if value == int(value) and value >= 1 else value * 0.99


def _failure_rate(s: Staging) -> list[Stage]:
    limit, least = s.number("above"), s.number("min_sample")
    times = s.times
    status = s.words("status")[0]

    def given(name: str, rate: float, sample: float, grown: float = 1.01) -> Stage:
        bad, good = rate * sample, (1 - rate) * sample
        if times is None:
            failed, succeeded = growing(bad, s.window), growing(good, s.window)
        else:
            # The rate before is smaller by `times`, of as many runs.
            before = bad / (times * grown)
            failed = stepping(before, bad, s.window)
            succeeded = stepping(sample - before, good, s.window)
        lines = (
            s.line("runs_finished_total", failed, status=status),
            s.line("runs_finished_total", succeeded, status=SUCCESSES[0]),
        )
        return Stage(name, lines, s.window if times is None else 2 * s.window)

    high = min(above(limit), (1 + limit) / 2)
    stages = [
        given("a share just above", high, above(least)),
        given("a share just not above", below(limit), 10 * least),
        given("too few runs", high, below(least)),
    ]
    return [*stages, given("hardly more than before", high, above(least), 0.99)] if times is not None else stages


def _counting(family: str, name: str, key: str = "above", status: str = "") -> Callable[[Staging], list[Stage]]:
    def counting(s: Staging) -> list[Stage]:
        limit = s.number(key)
        times = s.times
        word = {"status": status or s.words("status")[0]} if "status" in FAMILIES[family] else {}

        def given(name: str, count: float, grown: float = 1.01) -> Stage:
            shape = growing(count, s.window) if times is None else stepping(count / (times * grown), count, s.window)
            return Stage(name, (s.line(family, shape, **word),), s.window if times is None else 2 * s.window)

        found = [given(f"{name} just above", above(limit)), given(f"{name} just not above", below(limit))]
        return [*found, given("hardly more than before", above(limit), 0.99)] if times is not None else found

    return counting


def _consecutive_failures(s: Staging) -> list[Stage]:
    limit, scheduled = s.number("above"), s.number("above_scheduled")

    def given(name: str, streak: float, active: str) -> Stage:
        lines = (
            s.line("run_consecutive_failures", flat(streak)),
            s.line("schedules", flat(1), type="DECLARATIVE", active=active),
        )
        return Stage(name, lines, 0, holds=name.endswith("just above"))

    return [
        given("just above", limit + 1, "false"),
        given("just not above", limit, "false"),
        given("scheduled, just above", scheduled + 1, "true"),
        given("scheduled, just not above", scheduled, "true"),
    ]


def _aging(family: str, key: str = "older_than", *, statuses: bool = False) -> Callable[[Staging], list[Stage]]:
    def aging(s: Staging) -> list[Stage]:
        limit = s.millis(key)
        word = {"status": s.words("status")[0]} if statuses else {}
        end = fires_at(s.rule, 1)
        return [
            Stage("just older", (s.line(family, older(limit), **word),), 1),
            Stage("just not older", (s.line(family, older(limit - end), **word),), 1),
        ]

    return aging


def _queue_age(s: Staging) -> list[Stage]:
    found = _aging("queue_oldest_queued_timestamp_seconds", "above")(s)
    if s.value["ignore_paused"]:
        (old,) = found[0].lines
        found.append(Stage("paused", (old, s.line("queue_paused", flat(1))), 1))
    return found


def _no_runs(s: Staging) -> list[Stage]:
    least = s.number("min_before")

    def given(name: str, before: float, now: float) -> Stage:
        return Stage(name, (s.line("runs_triggered_total", stepping(before, now, s.window)),), 2 * s.window)

    return [
        given("none after just enough", least, 0),
        given("none after too few", below(least), 0),
        given("one", 2 * least, 1),
    ]


def _trigger_spike(s: Staging) -> list[Stage]:
    times, floor = s.number("times"), s.number("floor")

    def given(name: str, now: float, grown: float) -> Stage:
        shape = stepping(now / (times * grown), now, s.window)
        return Stage(name, (s.line("runs_triggered_total", shape),), 2 * s.window)

    return [
        given("just that many times", above(floor), 1.01),
        given("just not that many times", 10 * (floor + 1), 0.99),
        given("too few to be a spike", below(floor), 1.01),
    ]


def _expired_runs(s: Staging) -> list[Stage]:
    limit, floor, times = s.value["above"], s.number("floor"), s.times

    def given(name: str, expired: float, share: float) -> Stage:
        others = expired / share - expired
        if times is None:
            shapes, since = (growing(expired, s.window), growing(others, s.window)), s.window
        else:
            shapes = (stepping(expired / (2 * times), expired, s.window), stepping(0, others, s.window))
            since = 2 * s.window
        lines = [
            s.line("runs_finished_total", shape, status=status)
            for shape, status in zip(shapes, ("EXPIRED", SUCCESSES[0]), strict=True)
        ]
        return Stage(name, tuple(lines), since)

    if isinstance(limit, float):
        high = min(above(limit), (1 + limit) / 2)
        found = [given("a share just above", max(above(floor), 1), high)]
        found += [given("a share just not above", 2 * floor + 1, below(limit))] if limit else []
    else:
        high = 0.5
        enough = max(above(s.number("above")), above(floor))
        found = [given("a number just above", enough, high)]
        found += [given("a number just not above", below(s.number("above")), high)] if limit else []
    return [*found, given("too few", below(floor), high)] if floor else found


def _queue(
    s: Staging, depth: float, running: float = 0, paused: float = 0, limit: float | None = None
) -> tuple[Line, ...]:
    lines = [
        s.line("queue_depth", flat(depth)),
        s.line("queue_running", flat(running)),
        s.line("queue_paused", flat(paused)),
    ]
    return (*lines, s.line("queue_concurrency_limit", flat(limit))) if limit is not None else tuple(lines)


def _queue_depth(s: Staging) -> list[Stage]:
    limit = s.number("above")
    found = [Stage("just above", _queue(s, limit + 1), 0), Stage("just not above", _queue(s, limit), 0)]
    return [*found, Stage("paused", _queue(s, 10 * limit + 10, paused=1), 0)] if s.value["ignore_paused"] else found


def _queue_stalled(s: Staging) -> list[Stage]:
    return [
        Stage("none runs", _queue(s, 1), 0),
        Stage("none waits", _queue(s, 0), 0),
        Stage("one runs", _queue(s, 9, running=1), 0),
        Stage("paused", _queue(s, 9, paused=1), 0),
    ]


def _queue_saturated(s: Staging) -> list[Stage]:
    share = s.number("above")
    return [
        Stage("just that share", _queue(s, 1, running=1000 * share, limit=1000), 0),
        Stage("just not that share", _queue(s, 9, running=1000 * share - 1, limit=1000), 0),
        Stage("none waits", _queue(s, 0, running=1000, limit=1000), 0),
        Stage("no limit", _queue(s, 9, running=1000), 0),
    ]


def _queue_paused(s: Staging) -> list[Stage]:
    return [
        Stage("paused", _queue(s, 1, paused=1), 0),
        Stage("not paused", _queue(s, 9), 0),
        Stage("none waits", _queue(s, 0, paused=1), 0),
    ]


def _batch_failures(s: Staging) -> list[Stage]:
    limit = s.number("failed_items_above")

    def given(name: str, share: float) -> Stage:
        lines = (
            s.line("batch_items_total", growing(1000 * share, s.window), result="failed"),
            s.line("batch_items_total", growing(1000 * (1 - share), s.window), result="created"),
        )
        return Stage(name, lines, s.window)

    high = min(above(limit), (1 + limit) / 2)
    return [given("a share just above", high), given("a share just not above", below(limit))]


def _deployment_failed(s: Staging) -> list[Stage]:
    def given(name: str, status: str, other: str) -> Stage:
        lines = (
            s.line("deployment_last_timestamp_seconds", older(MINUTE), status=status),
            s.line("deployment_last_timestamp_seconds", older(2 * MINUTE), status=other),
        )
        return Stage(name, lines, 0)

    return [given("the newest failed", "FAILED", "DEPLOYED"), given("an older one failed", "DEPLOYED", "TIMED_OUT")]


def _view_lag(s: Staging) -> list[Stage]:
    limit = s.number("above") / 1000
    return [
        Stage("just later", (s.line("view_lag_seconds", flat(limit + 1)),), 0),
        Stage("just not later", (s.line("view_lag_seconds", flat(limit)),), 0),
    ]


def _source_down(s: Staging) -> list[Stage]:
    older_than = s.value["older_than"]
    limit = 3 * MINUTE if older_than is None else s.millis("older_than")
    end = fires_at(s.rule, 0)

    def given(name: str, age: int, supported: float = 1) -> Stage:
        lines = (
            s.line("collector_last_success_timestamp_seconds", older(age)),
            s.line("collector_interval_seconds", flat(MINUTE / 1000)),
            s.line("collector_supported", flat(supported)),
        )
        return Stage(name, lines, 0)

    return [
        given("just so old", limit),
        given("just not so old", limit - end - 1),
        given("not supported", 2 * limit, supported=0),
    ]


def _quota_low(s: Staging) -> list[Stage]:
    def given(name: str, share: float) -> Stage:
        lines = (
            s.line("api_rate_limit_remaining", flat(1000 * share)),
            s.line("api_rate_limit", flat(1000)),
        )
        return Stage(name, lines, 0)

    limit = s.number("below")
    return [given("just less", limit * 0.99), given("just not less", limit)]


def stages(rule: Rule) -> list[Stage]:
    """Those of a rule that can be written; the first one holds. None if it could not fire in any that we know."""
    if _never(rule):
        return []
    found = STAGES[rule.when.type](Staging(rule))
    if rule.window and found[0].since > rule.window and rule.for_ >= rule.window:
        # It compares with the window before, and no step lasts for so long.
        return []
    return [replace(found[0], holds=True), *found[1:]]


def _never(rule: Rule) -> bool:
    """Whether it wants a share of more than all, or of less than none."""
    shares = {"failure_rate": "above", "expired_runs": "above", "batch_failures": "failed_items_above"}
    if rule.when.type == "quota_low":
        return rule.when.number("below") <= 0
    limit = rule.when.values.get(shares.get(rule.when.type, ""))
    return isinstance(limit, float) and limit >= 1


STAGES: dict[str, Callable[[Staging], list[Stage]]] = {
    "failure_rate": _failure_rate,
    "failure_count": _counting("runs_finished_total", "a number"),
    "consecutive_failures": _consecutive_failures,
    "no_success": _aging("run_last_success_timestamp_seconds"),
    "no_runs": _no_runs,
    "queue_depth": _queue_depth,
    "queue_age": _queue_age,
    "queue_stalled": _queue_stalled,
    "queue_saturated": _queue_saturated,
    "queue_paused": _queue_paused,
    "stuck_runs": _aging("runs_oldest_open_timestamp_seconds", statuses=True),
    "expired_runs": _expired_runs,
    "trigger_spike": _trigger_spike,
    "batch_failures": _batch_failures,
    "batch_stuck": _aging("batches_oldest_open_timestamp_seconds", statuses=True),
    "deployment_failed": _deployment_failed,
    "deployment_stuck": _aging("deployments_oldest_open_timestamp_seconds"),
    "waitpoint_stale": _aging("waitpoint_tokens_oldest_open_timestamp_seconds"),
    "cost": _counting("run_cost_usd_total", "a sum"),
    "view_lag": _view_lag,
    "source_down": _source_down,
    "quota_low": _quota_low,
    "outbox_stalled": _aging("notifications_oldest_pending_timestamp_seconds"),
}
