"""From a rule to an alert of Prometheus, in either mode. Pure.

``held``: the engine decides, and Prometheus passes it on. ``promql``: Prometheus decides by itself. There an alert
that fires looks at itself (``ALERTS``), which is how it stays as it is while nothing can be said: between
``clear_below`` and ``above``, while there are too few runs, and while the source cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from triggerdev_alerts.export.annotations import Told, annotated, described, literal
from triggerdev_alerts.export.conditions import (
    FAMILIES,
    PREFIX,
    InexpressibleError,
    Scope,
    Written,
    written,
)
from triggerdev_alerts.export.links import Places, linked
from triggerdev_alerts.export.promql import (
    any_of,
    bracketed,
    duration,
    indented,
    number,
    pattern,
    quoted,
    selector,
)
from triggerdev_alerts.instants import DAY, MINUTE, SECOND
from triggerdev_alerts.rules.model import Group, Rule, RuleSet

LOOKBACK = 5 * MINUTE
"""How old a sample may be for Prometheus to see it, if nobody told it otherwise."""
HELD_FOR = 5 * MINUTE
"""An exporter that restarts misses a scrape or two; that ends no alert."""
BLIND_FOR = DAY
"""A target that no exporter has shown for so long is not waited for."""


class Mode(StrEnum):
    HELD = "held"
    PROMQL = "promql"


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alerting rule, and what is recorded for it."""

    rule: Rule
    says: str
    """Its condition, as it was written."""
    expr: str
    for_: int
    keep_firing_for: int
    labels: dict[str, str]
    annotations: dict[str, str]
    records: tuple[Record, ...] = ()
    notes: tuple[str, ...] = ()
    """Where it differs from ours."""
    reworded: tuple[str, ...] = ()
    """Annotations of ours that cannot be told there."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule that is not there, and why."""

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class AlertGroup:
    group: Group
    rules: tuple[AlertRule, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """A rule set for Prometheus."""

    mode: Mode
    groups: tuple[AlertGroup, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        return tuple(rule for group in self.groups for rule in group.rules)


def export(ruleset: RuleSet, mode: Mode, places: Places | None = None) -> Exported:
    """Every rule that is on: as an alert, or left out with the reason."""
    groups: list[AlertGroup] = []
    left_out: list[LeftOut] = []
    led = places or Places()
    for group in ruleset.groups:
        rules: list[AlertRule] = []
        for rule in group.rules:
            if not rule.enabled:
                continue
            try:
                rules.append(_held(rule, led) if mode is Mode.HELD else _promql(rule, group, ruleset.owners, led))
            except InexpressibleError as error:
                left_out.append(LeftOut(rule, str(error)))
        if rules:
            groups.append(AlertGroup(group, tuple(rules)))
    return Exported(mode, tuple(groups), tuple(left_out), ruleset.owners)


def _labels(rule: Rule, series: Sequence[str]) -> dict[str, str]:
    own = {name: literal(value) for name, value in rule.labels.items() if value and name not in series}
    return {"severity": rule.severity, **own}


def _held(rule: Rule, places: Places) -> AlertRule:
    shown = ("target", *(name for name in FAMILIES["alert_firing"] if name not in ("alertname", "severity")))
    series = [name for name in shown if name in ("owner", "target") or name in rule.when.by]
    texts, lost = annotated(rule, Told(series, value=False))
    hidden = [name for name in rule.when.by if name not in shown]
    notes = [f"alerts that differ only by {name} are one here" for name in hidden]
    firing = selector(PREFIX + "alert_firing", [f"alertname={quoted(rule.name)}"])
    return AlertRule(
        rule,
        described(rule),
        # Whichever instance shows it: an exporter that comes back under another address makes no new alert.
        f"max without (instance, pod) ({firing}) == 1",
        0,
        HELD_FOR,
        _labels(rule, series),
        linked(rule, texts, series, places),
        notes=tuple(notes),
        reworded=tuple(lost),
    )


def _promql(rule: Rule, group: Group, owners: Sequence[tuple[str, str]], places: Places) -> AlertRule:
    scope, condition = Scope(rule), written(rule)
    expr = _expression(scope, condition, group)
    series = [*scope.by]
    if "owner" not in rule.labels and (owned := _owned(scope, owners, expr)) != expr:
        expr = owned
        series.append("owner")
    texts, lost = annotated(rule, Told(series, value=condition.tells))
    records = [Record(name, text) for name, text in condition.records]
    if condition.sources:
        records.append(Record("sighted", _sighted(scope, condition)))
    return AlertRule(
        rule,
        described(rule),
        expr,
        rule.for_,
        rule.keep_firing_for,
        _labels(rule, series),
        linked(rule, texts, series, places),
        tuple(records),
        (*condition.notes, *_unheld(condition, group)),
        tuple(lost),
    )


def _unheld(condition: Written, group: Group) -> list[str]:
    if group.interval < LOOKBACK or not (condition.sources or condition.band):
        return []
    return [f"it is evaluated every {duration(group.interval)}, too seldom to see itself: it is never held"]


def _sighted(scope: Scope, condition: Written) -> str:
    """The targets of which something can be said now."""
    targets = any_of("target", scope.when.targets) if scope.when.targets else ""

    def of(family: str, *more: str) -> str:
        return selector(PREFIX + family, [targets, *more])

    text = f"min by (target) ({of('collector_up', any_of('collector', condition.sources))}) == 1"
    if "runs" in condition.sources:
        text += f"\nunless on (target) max by (target) ({of('catching_up')}) == 1"
    if condition.reach:
        since = of("counting_since_timestamp_seconds")
        # The same counters as back then, and scraped back then: the window is full, and nothing was reset in it.
        text += (
            f"\nand on (target) (max by (target) ({since})"
            f"\n  == max by (target) ({since} offset {duration(condition.reach)}))"
        )
    return text


def _expression(scope: Scope, condition: Written, group: Group) -> str:
    sighted = f"and on (target) {scope.recorded('sighted')}" if condition.sources else ""
    enough = f"and {condition.enough}" if condition.enough else ""
    ways = [_lines(_each(condition.holds), enough, sighted)]
    comments = [""]
    firing = selector("ALERTS", [f"alertname={quoted(scope.rule.name)}", 'alertstate="firing"'])
    # Its value is not known then, and NaN says so.
    stays = f"NaN * max by ({', '.join(scope.by)}) ({firing})"
    if group.interval < LOOKBACK:
        if condition.band:
            comments.append("not above any more, but not clear either: stays as it is")
            ways.append(_lines(_each(condition.band), enough, sighted, f"and {scope.on} {firing}"))
        if condition.sample and scope.rule.hold_insufficient_for:
            hold = scope.rule.hold_insufficient_for
            comments.append(f"too few runs to judge by: stays as it is for {duration(hold)}")
            # A second more than that: whether the sample at the very edge counts differs from version to version.
            recent = f"max_over_time({condition.sample}[{duration(hold + SECOND)}]) >= {number(condition.least)}"
            ways.append(_lines(stays, f"and {scope.on} {recent}", f"unless {scope.on} {condition.enough}", sighted))
        if condition.sources:
            matchers = [any_of("collector", condition.sources)]
            if scope.when.targets:
                matchers.insert(0, any_of("target", scope.when.targets))
            shown = f"{selector(PREFIX + 'collector_up', matchers)}[{duration(BLIND_FOR)}]"
            comments.append("nothing can be said: stays as it is")
            ways.append(
                _lines(
                    stays,
                    f"unless on (target) {scope.recorded('sighted')}",
                    f"and on (target) present_over_time({shown})",
                )
            )
    if len(ways) == 1:
        return ways[0]
    told = [
        bracketed(way, comment) if "\n" in way or comment else way for way, comment in zip(ways, comments, strict=True)
    ]
    return f"\nor {scope.on} ".join(told)


def _each(expr: str) -> str:
    """An expression that can stand before ``and``: alternatives need brackets."""
    return bracketed(expr) if "\nor " in expr else expr


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _owned(scope: Scope, owners: Sequence[tuple[str, str]], expr: str) -> str:
    """The expression with the label owner, by the first glob that matches: it is written last, so outermost."""
    source = next((name for name in ("task", "queue") if name in scope.by), None)
    if source is None:
        return expr
    for glob, owner in reversed(owners):
        task = pattern(glob)
        matching = task if source == "task" else f"task/(?:{task})"
        named = ", ".join(map(quoted, ("owner", owner.replace("$", "$$"), source, matching)))
        expr = f"label_replace(\n{indented(expr)},\n  {named}\n)"
    return expr
