"""All values of a rule set as YAML, defaults and inherited ones too, in the format that a person writes.

What is written here reads back as an equal rule set, apart from secrets that stood in a file: they are never shown.
Names of files are as the program opens them: relative to the working directory, or absolute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, cast

from ruamel.yaml import YAML

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.documents.model import Model
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.rules.model import Group, Inhibition, Matcher, Ping, Route, Rule, RuleSet, TimeRange
from triggerdev_alerts.rules.time_ranges import DAY_NAMES, format_span, format_times
from triggerdev_alerts.rules.when import TARGET

_Data = dict[str, Any]


def effective(ruleset: RuleSet) -> str:
    """The rule set as one file."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated as None, read as a flag
    text = StringIO()
    yaml.dump(as_data(ruleset), text)
    return text.getvalue()


def as_data(ruleset: RuleSet) -> _Data:
    """The same as plain data, what is empty left out."""
    data: _Data = {
        "version": 1,
        "owners": dict(ruleset.owners),
        "time_intervals": {
            name: [_time_range(one) for one in ranges] for name, ranges in ruleset.time_intervals.items()
        },
        "receivers": {
            name: {receiver.kind: _settings(receiver.settings)} for name, receiver in ruleset.receivers.items()
        },
        "routes": None if ruleset.routes is None else _route(ruleset.routes, None),
        "inhibit": [_inhibition(one) for one in ruleset.inhibitions],
        "fallback": ruleset.fallback,
        "ping": None if ruleset.ping is None else _ping(ruleset.ping),
        "flood_ceiling": ruleset.flood_ceiling,
        "groups": [_group(group) for group in ruleset.groups],
    }
    return {key: value for key, value in data.items() if value or value == 0}


def _settings(settings: object) -> _Data:
    return cast("Model", settings).model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _ping(ping: Ping) -> _Data:
    return {**_settings(ping.settings), "interval": format_duration(ping.interval)}


def _group(group: Group) -> _Data:
    return {
        "name": group.name,
        "interval": format_duration(group.interval),
        "align": "exact" if group.exact else "spread",
        "query_delay": format_duration(group.query_delay),
        "rules": [_rule(rule) for rule in group.rules],
    }


def _rule(rule: Rule) -> _Data:
    flapping = rule.flapping
    data: _Data = {
        "alert": rule.name,
        "when": {rule.when.type: _condition(rule.when)},
        "for": format_duration(rule.for_),
        "keep_firing_for": format_duration(rule.keep_firing_for),
        "severity": rule.severity,
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "on_no_data": str(rule.on_no_data),
        "missing_after": rule.missing_after,
        "hold_insufficient_for": format_duration(rule.hold_insufficient_for),
        "flapping": {"enabled": False}
        if flapping is None
        else {
            "changes": flapping.changes,
            "window": format_duration(flapping.window),
            "stable": format_duration(flapping.stable),
        },
        "evidence": {
            "top_errors": rule.evidence.top_errors,
            "failing_runs": rule.evidence.failing_runs,
            "errors": rule.evidence.errors,
        },
        "max_series": rule.max_series,
        "enabled": rule.enabled,
    }
    return {key: value for key, value in data.items() if value != {}}


def _condition(when: Condition) -> _Data:
    row = CONDITIONS[when.type]
    by = [*([] if row.is_self else [TARGET]), *when.by]
    narrowing = {TARGET: when.targets, **{name: getattr(when.where, name) for name in row.narrows}}
    data: _Data = {"by": by, **{name: list(globs) for name, globs in narrowing.items() if globs}}
    if when.where.include_test:
        data["include_test"] = True
    for key in row.keys:
        value = when.values[key.name]
        if value is not None:
            shown = quantities.show(key, value)
            data[key.name] = list(shown) if isinstance(shown, tuple) else shown
    return data


def _match(matchers: Sequence[Matcher]) -> _Data:
    return {one.label: [f"!{value}" if one.negative else value for value in one.values] for one in matchers}


def _route(route: Route, parent: Route | None) -> _Data:
    backoff = route.repeat_backoff
    data: _Data = {
        "receiver": route.receiver,
        "match": _match(route.match),
        "continue": route.continue_ if parent is not None else None,
        "group_by": list(route.group_by),
        "group_wait": format_duration(route.group_wait),
        "group_interval": format_duration(route.group_interval),
        "repeat_interval": format_duration(route.repeat_interval),
        "repeat_backoff": f"{backoff.factor:g} max {format_duration(backoff.most)}",
        "mute": list(route.mute),
        "active": list(route.active),
        "send_resolved": route.send_resolved,
        "send_resolved_when_muted": route.send_resolved_when_muted,
        "startup": "summarize" if route.startup_summarize else "each",
        "children": [_route(child, route) for child in route.children],
    }
    # An empty group_by says something: one group for all.
    return {key: value for key, value in data.items() if key == "group_by" or value not in ({}, [], None)}


def _inhibition(one: Inhibition) -> _Data:
    return {"source": _match(one.source), "target": _match(one.target), "equal": list(one.equal)}


def _time_range(one: TimeRange) -> _Data:
    data: Mapping[str, Any] = {
        "times": [format_times(span) for span in one.times],
        "weekdays": [DAY_NAMES[day] for day in one.weekdays],
        "days_of_month": [format_span(span) for span in one.days_of_month],
        "months": list(one.months),
        "years": [format_span(span) for span in one.years],
        "location": one.location,
    }
    return {key: value for key, value in data.items() if value}
