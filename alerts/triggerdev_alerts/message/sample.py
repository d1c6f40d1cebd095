"""A made-up notification of a rule, composed as the engine does it: for previews, and to try a receiver. Pure.

Names, numbers and errors are invented; labels, wording, annotations and limits are the rule's own.
"""

from __future__ import annotations

import math

from triggerdev_alerts.alert import Alert, Labels, Reason, State, fingerprint
from triggerdev_alerts.conditions.catalogue import CONDITIONS, ConditionType
from triggerdev_alerts.conditions.keys import Condition, Kind, Missing, Value
from triggerdev_alerts.evaluation.labels import Owners, labels_of_series
from triggerdev_alerts.instants import MINUTE, SECOND, Instant
from triggerdev_alerts.message.compose import compose
from triggerdev_alerts.notification import NoticeKind, Notification, Why, notification_id
from triggerdev_alerts.notify.routing import group_key, group_labels
from triggerdev_alerts.rules.model import Route, Rule
from triggerdev_alerts.signals import NO_EVIDENCE, SELF, ErrorCount, Evidence, RunLink, Unit

LASTED = 19 * MINUTE
"""How long a sample that resolved has fired."""
_RUNS = 57
_RUN_PAGES = "https://cloud.trigger.dev/orgs/acme/projects/shop/env/prod/runs/"
_NAMES = {
    "target": "shop-prod",
    "task": "send-email",
    "queue": "task/send-email",
    "version": "20251124.3",
    "tag": "newsletter",
    "schedule": "sched_sample",
    "collector": "runs",
    "receiver": "ops-slack",
    "rule": "reliability/TaskFailureRateHigh",
}
_GLOB_SIGNS = frozenset("*?[!")
_THRESHOLDS = ("above", "failed_items_above", "below", "consecutive", "older_than", "floor")
"""The keys that say what the value is compared with, the likeliest first."""
_FITTING: dict[str, tuple[Kind, ...]] = {
    Unit.COUNT: (Kind.COUNT, Kind.PERCENT_OR_COUNT),
    Unit.FRACTION: (Kind.PERCENT, Kind.PERCENT_OR_COUNT),
    Unit.MILLIS: (Kind.DURATION,),
    Unit.USD: (Kind.MONEY,),
}
_UNSET = {Unit.MILLIS: 1.5 * MINUTE}
"""What a threshold is taken for that the rule leaves to what is read."""


def _test_rule() -> Rule:
    row = CONDITIONS["failure_rate"]
    values: dict[str, Value] = {key.name: key.default for key in row.keys if not isinstance(key.default, Missing)}
    condition = Condition(row.name, ("task",), values={**values, "window": 15 * MINUTE, "above": 0.1})
    return Rule("ReceiverTest", "test", condition, severity="info")


TEST_RULE = _test_rule()
"""What a test of a receiver is about: nothing that anybody wrote, and nothing that anybody is woken for."""


def sample(
    rule: Rule,
    route: Route,
    owners: Owners = (),
    *,
    now: Instant,
    is_resolved: bool = False,
    is_test: bool = False,
) -> Notification:
    """What `route`'s receiver is told of one alert of `rule` that fired just before `now`, or resolved."""
    alert = sample_alert(rule, owners, now - LASTED if is_resolved else now - 30 * SECOND)
    notice = compose(
        rule,
        alert,
        ended_at=now - 30 * SECOND if is_resolved else None,
        reason=Reason.CONDITION_CLEARED if is_resolved else Reason.CONDITION_MET,
        evidence=NO_EVIDENCE if is_resolved else _evidence(rule),
        now=now,
    )
    why = Why.ALL_RESOLVED if is_resolved else Why.FIRST
    key = group_key(route, alert.labels)
    return Notification(
        id=notification_id(route.receiver, key, now + is_resolved),
        receiver=route.receiver,
        group_key=key,
        group_labels=group_labels(route, alert.labels),
        seq=now + is_resolved,
        kind=NoticeKind.RESOLVED if is_resolved else NoticeKind.FIRING,
        why=Why.TEST if is_test else why,
        at=now,
        alerts=(notice,),
        is_test=is_test,
    )


def sample_alert(rule: Rule, owners: Owners, fired_at: Instant) -> Alert:
    """An alert of `rule` that began to fire at `fired_at`, a bit beyond its threshold."""
    row = CONDITIONS[rule.when.type]
    target = SELF if row.is_self else _literal(rule.when.targets) or _NAMES["target"]
    key = tuple(_name(rule.when, dimension) for dimension in rule.when.by)
    labels: Labels = labels_of_series(rule, target, owners)(key)
    value, threshold = _numbers(rule, row)
    return Alert(
        fingerprint=fingerprint(rule.id, labels),
        rule=rule.id,
        labels=labels,
        key=key,
        target=target,
        state=State.FIRING,
        active_at=fired_at - rule.for_,
        fired_at=fired_at,
        value=value,
        threshold=threshold,
        sample=_RUNS if "{sample}" in row.says or "min_sample" in rule.when.values else None,
    )


def _name(condition: Condition, dimension: str) -> str:
    written = getattr(condition.where, dimension, ())
    return _literal(written) or _NAMES.get(dimension, dimension)


def _literal(globs: tuple[str, ...]) -> str:
    """The first that names one thing."""
    return next((glob for glob in globs if not _GLOB_SIGNS & set(glob)), "")


def _numbers(rule: Rule, row: ConditionType) -> tuple[float, float]:
    """(value, threshold): what was measured is somewhat beyond."""
    unit = _unit(rule, row)
    keys = {key.name: key for key in row.keys if key.kind in _FITTING.get(unit, ())}
    name = next((name for name in _THRESHOLDS if name in keys), "")
    written = rule.when.values.get(name)
    threshold = float(written) if isinstance(written, int | float) else _UNSET.get(unit, 0.0) if name else 0.0
    if unit is Unit.FLAG:
        return 1.0, 1.0
    if "{value}" not in row.says:
        return 0.0, threshold
    return (threshold / 2 if name == "below" else _beyond(threshold, unit)), threshold


def _unit(rule: Rule, row: ConditionType) -> Unit:
    """A share may be written as a number (``expired_runs: {above: 5}``): then it counts."""
    if row.unit is Unit.FRACTION and isinstance(rule.when.values.get("above"), int):
        return Unit.COUNT
    return row.unit


def _beyond(threshold: float, unit: Unit) -> float:
    match unit:
        case Unit.FRACTION:
            return min(math.ceil((threshold + (1 - threshold) * 0.35) * _RUNS) / _RUNS, 1.0)
        case Unit.MILLIS:
            return threshold * 1.5 or 15.0 * MINUTE
        case Unit.USD:
            return threshold * 1.4 or 10.0
    return max(math.ceil(threshold * 1.6), threshold + 1, 3)


def _evidence(rule: Rule) -> Evidence:
    """What a rule about tasks shows besides, as far as it wants it."""
    if "task" not in rule.when.by:
        return NO_EVIDENCE
    wish = rule.evidence
    known = (
        ErrorCount("SmtpError", "550 mailbox full", 19),
        ErrorCount("TimeoutError", "no answer within 30 s", 4),
        ErrorCount("TypeError", "Cannot read properties of undefined (reading 'address')", 1),
    )
    errors = tuple(ErrorCount(e.name, e.message if wish.errors == "message" else "", e.count) for e in known)
    runs = tuple(RunLink(f"run_sample{n}", f"{_RUN_PAGES}run_sample{n}", "FAILED") for n in range(1, 4))
    return Evidence(
        errors=errors[: wish.top_errors] if wish.errors != "off" else (),
        runs=runs[: wish.failing_runs],
    )
