"""The rows: how each condition is written in PromQL over the exporter's families, or why it cannot be. Pure.

Every condition of the catalogue has a row here; a test tells which is missing, and another that each family and label
is one that the exporter has. How an alert is made of this is `alerting.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.export.promql import (
    Series,
    aggregated,
    ago,
    any_of,
    bracketed,
    counted,
    number,
    on,
    quoted,
    seconds,
    selector,
)
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import ENDINGS, SUCCESSES

PREFIX = "triggerdev_"
RECORDED = "triggerdev:"

FAMILIES: dict[str, tuple[str, ...]] = {
    # Name without the prefix → its labels besides `target`, as far as they are used here.
    "collector_up": ("collector",),
    "collector_supported": ("collector",),
    "collector_last_success_timestamp_seconds": ("collector",),
    "collector_interval_seconds": ("collector",),
    "catching_up": (),
    "counting_since_timestamp_seconds": (),
    "view_lag_seconds": (),
    "runs_triggered_total": ("task",),
    "runs_finished_total": ("task", "status"),
    "runs_oldest_open_timestamp_seconds": ("task", "status"),
    "run_cost_usd_total": ("task",),
    "run_last_success_timestamp_seconds": ("task",),
    "run_consecutive_failures": ("task",),
    "queue_depth": ("queue",),
    "queue_running": ("queue",),
    "queue_concurrency_limit": ("queue",),
    "queue_paused": ("queue",),
    "queue_oldest_queued_timestamp_seconds": ("queue",),
    "batch_items_total": ("result",),
    "batches_oldest_open_timestamp_seconds": ("status",),
    "schedules": ("task", "type", "active"),
    "deployment_last_timestamp_seconds": ("status",),
    "deployments_oldest_open_timestamp_seconds": (),
    "waitpoint_tokens_oldest_open_timestamp_seconds": (),
    "api_rate_limit": (),
    "api_rate_limit_remaining": (),
    "alert_firing": ("alertname", "severity", "task", "queue", "owner"),
    "notifications_oldest_pending_timestamp_seconds": ("receiver",),
}
UNTARGETED = frozenset({"notifications_oldest_pending_timestamp_seconds"})
"""Families that have no label ``target``."""


class InexpressibleError(Exception):
    """PromQL over our families cannot say that; the text says why."""


@dataclass(frozen=True, slots=True)
class Written:
    """A condition in PromQL. Every expression gives one series for each of the rule's."""

    holds: str
    """Where the condition is true."""
    sources: tuple[str, ...]
    """The collectors that it needs to see; none for a condition that is about being blind."""
    records: tuple[tuple[str, str], ...] = ()
    """Name and expression of what is recorded first, since it is read at several places."""
    reach: int = 0
    """How far back it looks, milliseconds."""
    band: str = ""
    """Where it is at least not clear: from ``clear_below`` on."""
    enough: str = ""
    """Where the sample is large enough to judge by."""
    sample: str = ""
    """The recorded sample, where there is one."""
    least: float = 0
    """How large it must be."""
    tells: bool = True
    """Whether the value is the one that we would tell."""
    notes: tuple[str, ...] = ()
    """Where it differs from ours, for this rule."""


class Scope:
    """One rule, and its words for expressions."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.when = rule.when
        self.by = (*(() if CONDITIONS[rule.when.type].is_self else ("target",)), *rule.when.by)
        self.millis = rule.when.millis
        self.number = rule.when.number
        self.words = rule.when.words

    @property
    def on(self) -> str:
        return on(self.by)

    def value(self, key: str) -> float | None:
        value = self.when.values.get(key)
        return None if value is None else float(value)  # type: ignore[arg-type]  # a number, by its row

    def recorded(self, name: str) -> str:
        """What was recorded for this rule."""
        return selector(RECORDED + name, [f"alertname={quoted(self.rule.name)}"])

    def check(self, family: str) -> None:
        """Raises `InexpressibleError` if the rule splits or narrows by what the family does not tell."""
        labels = FAMILIES[family]
        for name in self.when.by:
            if name not in labels:
                raise InexpressibleError(f"it splits by {name}, and {PREFIX}{family} has no such label")
        for name in ("task", "queue", "version", "tag"):
            if getattr(self.when.where, name) and name not in labels:
                raise InexpressibleError(f"it is narrowed by {name}, and {PREFIX}{family} has no such label")
        if self.when.where.include_test:
            raise InexpressibleError("it includes test runs, which the families leave out")

    def matchers(self, family: str, **fixed: Sequence[str]) -> list[str]:
        labels = FAMILIES[family]
        found = [any_of("target", self.when.targets)] if self.when.targets and family not in UNTARGETED else []
        for name in ("task", "queue"):
            globs = getattr(self.when.where, name)
            if globs and name in labels:
                found.append(any_of(name, globs))
        return found + [any_of(name, values) for name, values in fixed.items()]

    def series(self, family: str, function: str = "sum", by: Sequence[str] = (), **fixed: Sequence[str]) -> Series:
        """A family, by the rule's dimensions (or `by`).

        Each counter or level counts once, whichever instance shows it: after a restart under another address the
        window must not begin anew.
        """
        self.check(family)
        name = selector(PREFIX + family, self.matchers(family, **fixed))
        outer = tuple(by) or self.by
        inner = (*(() if family in UNTARGETED else ("target",)), *FAMILIES[family])

        def written(millis: int) -> str:
            text = ago(name, millis)
            if function == "sum" and set(inner) != set(outer):
                return aggregated("sum", outer, aggregated("max", inner, text))
            return aggregated("max" if function == "sum" else function, outer, text)

        return written

    def now(self, family: str, function: str = "sum", **fixed: Sequence[str]) -> str:
        return self.series(family, function, **fixed)(0)

    def age(self, family: str, function: str = "min", **fixed: Sequence[str]) -> str:
        """Seconds since a timestamp; of several the oldest, or the newest by ``max``."""
        return f"time() - {self.now(family, function, **fixed)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One condition."""

    how: str
    """For the page: how it is written, or why it cannot be. ``[w]`` is a window, ``age`` the time since a timestamp."""
    write: Callable[[Scope], Written] | None = None
    """``None`` if no rule of that kind can be written. Raises `InexpressibleError` for those that cannot."""


def written(rule: Rule) -> Written:
    """The condition of `rule`. Raises `InexpressibleError`."""
    row = ROWS[rule.when.type]
    if row.write is None:
        raise InexpressibleError(row.how)
    found = row.write(Scope(rule))
    return replace(found, notes=(*found.notes, *_notes(rule)))


def _notes(rule: Rule) -> list[str]:
    if rule.on_no_data == "firing":
        return ["on_no_data: firing is left out; a series that is gone does not fire here"]
    return []


def _windows(s: Scope, previous: bool, *named: tuple[str, Series]) -> tuple[tuple[str, str], ...]:
    """Records of the window, and of the one before it."""
    window = s.millis("window")
    records = [(name, counted(series, window)) for name, series in named]
    if previous:
        records += [(f"{name}_before", counted(series, window, window)) for name, series in named]
    return tuple(records)


def _reach(s: Scope, previous: bool) -> int:
    return s.millis("window") * (2 if previous else 1)


def _from_clear_on(s: Scope, value: str, *, absent_at_zero: bool = False) -> str:
    """Where `value` is not below ``clear_below``; what grew too little compared with before is no case of it."""
    clear = s.value("clear_below")
    if clear is None:
        return ""
    # Nothing in the window is no series for us, and so below every clear_below.
    band = f"{value} > 0" if absent_at_zero and clear == 0 else f"{value} >= {number(clear)}"
    return band if s.value("vs_previous") is None else f"{band} <= {number(s.number('above'))}"


def _failure_rate(s: Scope) -> Written:
    failures = s.words("status")
    times = s.value("vs_previous")
    finished = s.series("runs_finished_total", status=(*SUCCESSES, *failures))
    failed = s.series("runs_finished_total", status=failures)
    rate = f"{s.recorded('failed')} / {s.recorded('finished')}"
    least = number(s.number("min_sample"))
    holds = f"{rate} > {number(s.number('above'))}"
    if times is not None:
        before = f"{s.recorded('failed_before')} / {s.recorded('finished_before')}"
        holds += f"\nand {rate} > {number(times)} * {before}\nand {s.recorded('finished_before')} >= {least}"
    return Written(
        holds,
        ("runs",),
        _windows(s, times is not None, ("failed", failed), ("finished", finished)),
        _reach(s, times is not None),
        _from_clear_on(s, rate),
        f"{s.recorded('finished')} >= {least}",
        s.recorded("finished"),
        s.number("min_sample"),
    )


def _grown(s: Scope, name: str) -> str:
    times = s.value("vs_previous")
    if times is None:
        return ""
    value, before = s.recorded(name), s.recorded(f"{name}_before")
    return f"\nand {value} > {number(times)} * {before}\nand {before} > 0"


def _counted(s: Scope, name: str, series: Series) -> Written:
    previous = s.value("vs_previous") is not None
    value = s.recorded(name)
    return Written(
        f"{value} > {number(s.number('above'))}{_grown(s, name)}",
        ("runs",),
        _windows(s, previous, (name, series)),
        _reach(s, previous),
        _from_clear_on(s, value, absent_at_zero=True),
    )


def _failure_count(s: Scope) -> Written:
    return _counted(s, "failed", s.series("runs_finished_total", status=s.words("status")))


def _cost(s: Scope) -> Written:
    return _counted(s, "cost_usd", s.series("run_cost_usd_total"))


def _consecutive_failures(s: Scope) -> Written:
    if "task" not in s.by:
        raise InexpressibleError("failures in a row are told task by task; split it by task")
    streak = s.now("run_consecutive_failures", "max")
    scheduled = f"{s.on} {s.now('schedules', active=('true',))} > 0"
    above, above_scheduled = number(s.number("above")), number(s.number("above_scheduled"))
    if above == above_scheduled:
        return Written(f"{streak} > {above}", ("runs",))
    return Written(
        f"({streak} > {above_scheduled} and {scheduled})\nor ({streak} > {above} unless {scheduled})", ("runs",)
    )


def _no_success(s: Scope) -> Written:
    age = s.age("run_last_success_timestamp_seconds", "max")
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ("runs",))


def _no_runs(s: Scope) -> Written:
    now, before = s.recorded("triggered"), s.recorded("triggered_before")
    return Written(
        f"{now} == 0\nand {before} >= {number(s.number('min_before'))}",
        ("runs",),
        _windows(s, True, ("triggered", s.series("runs_triggered_total"))),
        _reach(s, True),
    )


def _of_queues(s: Scope, join: str, family: str, function: str = "sum") -> str:
    """What is in the queues; of a whole target ``and`` takes those that are paused, and ``unless`` all others.

    Split by queue, the joining is left to the end of the expression.
    """
    if s.when.by or not join:
        return s.now(family, function)
    each = ("target", "queue")
    inside, paused = s.series(family, function, each), s.series("queue_paused", by=each)
    return aggregated(function, s.by, f"{inside(0)}\n{join} {on(each)} {paused(0)} > 0")


def _paused(s: Scope, join: str) -> str:
    return f"\n{join} {s.on} {s.now('queue_paused')} > 0" if s.when.by and join else ""


def _ignoring(s: Scope) -> str:
    return "unless" if s.when.values["ignore_paused"] else ""


def _queue_depth(s: Scope) -> Written:
    depth, paused = _of_queues(s, _ignoring(s), "queue_depth"), _paused(s, _ignoring(s))
    band = _from_clear_on(s, depth)
    return Written(f"{depth} > {number(s.number('above'))}{paused}", ("queues",), band=band + paused if band else "")


def _queue_age(s: Scope) -> Written:
    first = _of_queues(s, _ignoring(s), "queue_oldest_queued_timestamp_seconds", "min")
    age, paused = f"time() - {first}", _paused(s, _ignoring(s))
    clear = s.value("clear_below")
    return Written(
        f"{age} > {seconds(s.millis('above'))}{paused}",
        ("queues", "runs"),
        band="" if clear is None else f"{age} >= {seconds(clear)}{paused}",
    )


def _queue_stalled(s: Scope) -> Written:
    depth, running = (_of_queues(s, "unless", family) for family in ("queue_depth", "queue_running"))
    return Written(f"{depth} > 0\nunless {s.on} {running} > 0{_paused(s, 'unless')}", ("queues",))


def _queue_saturated(s: Scope) -> Written:
    depth, running, limit = s.now("queue_depth"), s.now("queue_running"), s.now("queue_concurrency_limit")
    return Written(f"{running} / ({limit} > 0) >= {number(s.number('above'))}\nand {s.on} {depth} > 0", ("queues",))


def _queue_paused(s: Scope) -> Written:
    return Written(f"{_of_queues(s, 'and', 'queue_depth')} > 0{_paused(s, 'and')}", ("queues",))


def _stuck_runs(s: Scope) -> Written:
    if s.number("above") > 0:
        raise InexpressibleError("it counts stuck runs, and the families tell the age of the oldest only; above: 0 can")
    age = s.age("runs_oldest_open_timestamp_seconds", status=s.words("status"))
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ("runs",), tells=False)


def _expired_runs(s: Scope) -> Written:
    above = s.when.values["above"]
    previous = s.value("vs_previous") is not None
    expired, ended = s.recorded("expired"), s.recorded("ended")
    named = [("expired", s.series("runs_finished_total", status=("EXPIRED",)))]
    holds = f"{expired} > {number(s.number('above'))}"
    if isinstance(above, float):
        named.append(("ended", s.series("runs_finished_total", status=ENDINGS)))
        holds = f"{expired} / {ended} > {number(above)}"
    if s.number("floor") > 0:
        holds += f"\nand {expired} >= {number(s.number('floor'))}"
    return Written(holds + _grown(s, "expired"), ("runs",), _windows(s, previous, *named), _reach(s, previous))


def _trigger_spike(s: Scope) -> Written:
    now, before = s.recorded("triggered"), s.recorded("triggered_before")
    return Written(
        f"{now} > {number(s.number('floor'))}\nand {now} > {number(s.number('times'))} * {before}",
        ("runs",),
        _windows(s, True, ("triggered", s.series("runs_triggered_total"))),
        _reach(s, True),
    )


def _batch_failures(s: Scope) -> Written:
    failed, items = s.recorded("failed"), s.recorded("items")
    return Written(
        f"{failed} / {items} > {number(s.number('failed_items_above'))}",
        ("batches",),
        _windows(
            s,
            False,
            ("failed", s.series("batch_items_total", result=("failed",))),
            ("items", s.series("batch_items_total")),
        ),
        _reach(s, False),
    )


def _batch_stuck(s: Scope) -> Written:
    age = s.age("batches_oldest_open_timestamp_seconds", status=s.words("status"))
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ("batches",), tells=False)


def _deployment_failed(s: Scope) -> Written:
    failed = s.now("deployment_last_timestamp_seconds", "max", status=("FAILED", "TIMED_OUT"))
    deployed = s.now("deployment_last_timestamp_seconds", "max", status=("DEPLOYED",))
    against = bracketed(f"{deployed}\nor {failed} * 0")
    return Written(f"{failed}\n> {against}", ("deployments",), tells=False)


def _deployment_stuck(s: Scope) -> Written:
    age = s.age("deployments_oldest_open_timestamp_seconds")
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ("deployments",), tells=False)


def _waitpoint_stale(s: Scope) -> Written:
    age = s.age("waitpoint_tokens_oldest_open_timestamp_seconds")
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ("waitpoints",), tells=False)


def _view_lag(s: Scope) -> Written:
    return Written(f"{s.now('view_lag_seconds', 'max')} > {seconds(s.millis('above'))}", ("runs",))


def _source_down(s: Scope) -> Written:
    if s.when.values["reason"] != "any":
        raise InexpressibleError("no family tells why a collector fails now; reason: any can")
    by = ("target", "collector")
    age = f"time() - {s.series('collector_last_success_timestamp_seconds', 'max', by)(0)}"
    interval = s.series("collector_interval_seconds", "max", by)(0)
    older_than = s.value("older_than")
    limit = f"3 * {interval}" if older_than is None else seconds(older_than)
    down = f"{age} >= {limit}\nunless {on(by)} {s.series('collector_supported', 'max', by)(0)} == 0"
    return Written(
        down if "collector" in s.by else aggregated("max", s.by, down),
        (),
        notes=("a collector that never succeeded has no age here",),
    )


def _quota_low(s: Scope) -> Written:
    left = f"{s.now('api_rate_limit_remaining', 'max')} / {s.now('api_rate_limit', 'max')}"
    return Written(f"{left} < {number(s.number('below'))}", ())


def _outbox_stalled(s: Scope) -> Written:
    age = s.age("notifications_oldest_pending_timestamp_seconds")
    return Written(f"{age} > {seconds(s.millis('older_than'))}", ())


_PERCENTILE = "a percentile: the buckets of a histogram are too coarse for one that is exact to 1 %"
_SLOTS = "no family tells which slots were missed last, and `grace` is ours to apply"
_OURS = "it is about our own rules and receivers, which only we know"

ROWS: dict[str, Row] = {
    "failure_rate": Row("`failed[w] / finished[w] > above and finished[w] >= min_sample`", _failure_rate),
    "failure_count": Row("`failed[w] > above`", _failure_count),
    "consecutive_failures": Row(
        '`run_consecutive_failures > above`, or `above_scheduled` where `schedules{active="true"} > 0`',
        _consecutive_failures,
    ),
    "no_success": Row("age of `run_last_success_timestamp_seconds`", _no_success),
    "no_runs": Row("`triggered[w] == 0 and triggered[w before] >= min_before`; not by or narrowed to queues", _no_runs),
    "queue_depth": Row("`queue_depth > above unless queue_paused > 0`", _queue_depth),
    "queue_age": Row("age of `queue_oldest_queued_timestamp_seconds`, `unless queue_paused > 0`", _queue_age),
    "queue_stalled": Row("`queue_depth > 0 unless queue_running > 0 unless queue_paused > 0`", _queue_stalled),
    "queue_saturated": Row("`queue_running / queue_concurrency_limit >= above and queue_depth > 0`", _queue_saturated),
    "queue_paused": Row("`queue_depth > 0 and queue_paused > 0`", _queue_paused),
    "stuck_runs": Row("age of `runs_oldest_open_timestamp_seconds`; only with `above: 0`", _stuck_runs),
    "slow_runs": Row(_PERCENTILE),
    "duration": Row(_PERCENTILE),
    "wait": Row(_PERCENTILE),
    "expired_runs": Row("`expired[w] / ended[w] > above`, or `expired[w] > above` for a number", _expired_runs),
    "trigger_spike": Row("`triggered[w] > floor and triggered[w] > times * triggered[w before]`", _trigger_spike),
    "batch_failures": Row("`failed[w] / items[w] > failed_items_above`", _batch_failures),
    "batch_stuck": Row("age of `batches_oldest_open_timestamp_seconds`", _batch_stuck),
    "missed_schedule": Row(_SLOTS),
    "all_schedules_missed": Row(_SLOTS),
    "deployment_failed": Row(
        "`deployment_last_timestamp_seconds` of FAILED and TIMED_OUT against that of DEPLOYED, by when it was deployed",
        _deployment_failed,
    ),
    "deployment_stuck": Row("age of `deployments_oldest_open_timestamp_seconds`", _deployment_stuck),
    "waitpoint_stale": Row("age of `waitpoint_tokens_oldest_open_timestamp_seconds`", _waitpoint_stale),
    "cost": Row("`cost[w] > above`", _cost),
    "view_lag": Row("`view_lag_seconds > above`", _view_lag),
    "source_down": Row(
        "age of `collector_last_success_timestamp_seconds`, against 3 × `collector_interval_seconds` where "
        "`older_than` is not written; only with `reason: any`",
        _source_down,
    ),
    "quota_low": Row("`api_rate_limit_remaining / api_rate_limit < below`", _quota_low),
    "clock_skew": Row("no family tells the skew"),
    "notifier_failing": Row(_OURS),
    "outbox_stalled": Row("age of `notifications_oldest_pending_timestamp_seconds`", _outbox_stalled),
    "rule_failing": Row(_OURS),
    "rule_never_matched": Row(_OURS),
}
