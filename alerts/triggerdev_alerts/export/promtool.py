"""Unit tests for promtool: each rule at its threshold, one tick too early, and blind. Pure text.

What fires is read from ``ALERTS``, which has the labels and not the texts: a reworded summary turns no test red.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from triggerdev_alerts.evaluation.labels import owner_of
from triggerdev_alerts.export.alerting import HELD_FOR, AlertRule, Exported, Mode
from triggerdev_alerts.export.conditions import FAMILIES, PREFIX, written
from triggerdev_alerts.export.prometheus import comment, scalar
from triggerdev_alerts.export.promql import duration, quoted, selector
from triggerdev_alerts.export.stages import EVERY, Line, Shape, Stage, Staging, fires_at, flat, stages
from triggerdev_alerts.instants import SECOND
from triggerdev_alerts.rules.model import Rule

_FINE = 10 * SECOND
_BLIND = 3 * EVERY


@dataclass(frozen=True, slots=True)
class Look:
    """Whether the alert fires at an instant, milliseconds since the beginning."""

    at: int
    fires: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """One test: series, and looks at one alert with these labels."""

    name: str
    lines: Sequence[Line]
    step: int
    alert: str
    labels: Mapping[str, str]
    looks: Sequence[Look]


def unit_tests(exported: Exported, rules_file: str) -> str:
    """What ``promtool test rules`` takes; `rules_file` is the document's name, as seen from it."""
    head = comment(f"Tests of {rules_file} for `promtool test rules`, made with it. Change the rules, not this.")
    tests = "".join(_test(trial) for trial in trials(exported))
    body = f"tests:\n{tests}" if tests else "tests: []\n"
    return f"{head}rule_files:\n  - {scalar(rules_file)}\nevaluation_interval: {duration(EVERY)}\n{body}"


def trials(exported: Exported) -> Iterator[Trial]:
    for one in exported.rules:
        yield from _held(one, exported) if exported.mode is Mode.HELD else _promql(one, exported)


def _held(one: AlertRule, exported: Exported) -> Iterator[Trial]:
    staging = Staging(one.rule)
    shown = {name: value for name, value in staging.labels.items() if name in ("target", *FAMILIES["alert_firing"])}
    series = {"alertname": one.rule.name, "severity": one.rule.severity, **shown}
    owner = one.rule.labels.get("owner") or owner_of(shown, exported.owners)
    if owner:
        series["owner"] = owner

    def ends(steps: int, _: int) -> str:
        return f"1+0x2 stale _x{steps - 3}"

    end = 3 * EVERY + HELD_FOR
    looks = [Look(0, True), Look(end - EVERY, True), Look(end, False)]
    labels = {**series, **one.labels, **_own(one.rule)}
    yield Trial(
        f"{one.rule.name} fires as long as ours",
        [Line("alert_firing", series, ends)],
        EVERY,
        one.rule.name,
        labels,
        looks,
    )
    other = Line("alert_firing", {**series, "alertname": "Other"}, flat(1))
    silent = Line("alert_firing", series, flat(0))
    yield Trial(f"{one.rule.name} does not", [other, silent], EVERY, one.rule.name, labels, [Look(EVERY, False)])


def _own(rule: Rule) -> dict[str, str]:
    return {name: value for name, value in rule.labels.items() if value}


def _promql(one: AlertRule, exported: Exported) -> Iterator[Trial]:
    staging = Staging(one.rule)
    labels = {"alertname": one.rule.name, "severity": one.rule.severity, **_own(one.rule), **staging.labels}
    owner = one.rule.labels.get("owner") or owner_of(staging.labels, exported.owners)
    if owner:
        labels["owner"] = owner
    sources = written(one.rule).sources
    step = EVERY if one.rule.window % EVERY == 0 else _FINE

    def trial(stage: Stage, name: str, up: Shape, looks: Sequence[Look]) -> Trial:
        return Trial(
            f"{one.rule.name}, {name}",
            [*stage.lines, *_health(staging, sources, up)],
            step,
            one.rule.name,
            labels,
            looks,
        )

    for stage in stages(one.rule):
        fires = fires_at(one.rule, stage.since)
        if not stage.holds:
            yield trial(stage, stage.name, flat(1), [Look(fires, False)])
            continue
        looks = [Look(fires - EVERY, False)] if fires else []
        looks.append(Look(fires, True))
        if not sources:
            yield trial(stage, stage.name, flat(1), looks)
            continue
        seen = fires // step
        blinded = f"1+0x{seen} 0+0x{_BLIND // step}"
        yield trial(
            stage,
            f"{stage.name}, and held when blind",
            lambda *_, text=blinded: text,
            [*looks, Look(fires + _BLIND, True)],
        )
        yield trial(stage, f"{stage.name}, but blind", flat(0), [Look(fires, False)])


def _health(staging: Staging, sources: Iterable[str], up: Shape) -> list[Line]:
    """That everything can be read; `up` says when."""
    lines = [staging.line("collector_up", up, collector=source) for source in sources]
    if lines:
        lines.append(staging.line("catching_up", flat(0)))
        lines.append(staging.line("counting_since_timestamp_seconds", flat(1)))
    return lines


def _test(trial: Trial) -> str:
    end = max(look.at for look in trial.looks)
    steps = end // trial.step + 1
    lines = [
        f"  - name: {scalar(trial.name)}",
        f"    interval: {duration(trial.step)}",
        "    input_series:",
    ]
    for line in trial.lines:
        series = selector(PREFIX + line.family, matchers(line.labels))
        lines += [f"      - series: {scalar(series)}", f"        values: {scalar(line.shape(steps, trial.step))}"]
    lines.append("    promql_expr_test:")
    firing = [f"alertname={quoted(trial.alert)}", 'alertstate="firing"']
    labels = matchers({**trial.labels, "alertstate": "firing"})
    for look in trial.looks:
        lines += [f"      - expr: {scalar(selector('ALERTS', firing))}", f"        eval_time: {duration(look.at)}"]
        if look.fires:
            lines += [
                "        exp_samples:",
                f"          - labels: {scalar(selector('ALERTS', labels))}",
                "            value: 1",
            ]
    return "\n".join(lines) + "\n"


def matchers(labels: Mapping[str, str]) -> list[str]:
    """Labels as they stand in braces, in order."""
    return [f"{name}={quoted(value)}" for name, value in sorted(labels.items()) if value]
