"""The rules of Grafana's dashboard-linter that concern Prometheus, written anew: the linter itself needs Go.

Each takes a dashboard and yields what is wrong with it. The names are the linter's own. What its `target-promql-rule`
asks, that a query parses, is asked of a real Prometheus in test_queries.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dashboards.shipped import Json, expressions, panels, selectors

Rule = Callable[[Json], Iterator[str]]
_UNITS = frozenset("short s percentunit cpm bytes currencyUSD bool_yes_no".split())
"""Of the linter's long list of Grafana's units, those that we use."""


def _variables(dashboard: Json, kind: str) -> list[Json]:
    return [one for one in dashboard["templating"]["list"] if one["type"] == kind]


def template_datasource(dashboard: Json) -> Iterator[str]:
    found = _variables(dashboard, "datasource")
    if len(found) != 1:
        yield f"{len(found)} data source variables"
        return
    (one,) = found
    if one["name"] not in ("datasource", "prometheus_datasource"):
        yield f"it is named {one['name']}"
    if one["label"] != "Data source":
        yield f"its label is {one['label']}"
    if one["query"] != "prometheus":
        yield f"it chooses {one['query']}"


def _template(name: str) -> Rule:
    def rule(dashboard: Json) -> Iterator[str]:
        found = [one for one in dashboard["templating"]["list"] if one["name"] == name]
        if len(found) != 1:
            yield f"{len(found)} variables {name}"
            return
        (one,) = found
        wanted = {"type": "query", "label": name.capitalize(), "multi": True, "includeAll": True, "allValue": ".+"}
        for key, value in wanted.items():
            if one.get(key) != value:
                yield f"{name}: {key} is {one.get(key)}"
        if one.get("datasource", {}).get("uid") != "${datasource}":
            yield f"{name} asks another data source"

    return rule


def template_label_promql(dashboard: Json) -> Iterator[str]:
    for one in _variables(dashboard, "query"):
        if not re.fullmatch(r"label_values\([a-zA-Z_:][\w:]*(\{[^{}]*\})?, ?[a-zA-Z_]\w*\)", one["query"]["query"]):
            yield f"{one['name']}: {one['query']['query']}"


def template_on_time_change_reload(dashboard: Json) -> Iterator[str]:
    for one in _variables(dashboard, "query"):
        if one["refresh"] != 2:
            yield f"{one['name']} is not asked again when the time changes"


def panel_datasource(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        for asked in (panel, *panel["targets"]):
            if asked.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{panel['title']}: {asked.get('datasource')}"


def panel_title_description(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if not panel["title"]:
            yield f"panel {panel['id']} has no title"
        if len(panel["description"]) < 40:
            yield f"{panel['title']} is not described"


def panel_units(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if panel["fieldConfig"]["defaults"].get("unit") not in _UNITS:
            yield f"{panel['title']}: {panel['fieldConfig']['defaults'].get('unit')}"


def panel_no_targets(dashboard: Json) -> Iterator[str]:
    for panel in panels(dashboard):
        if not panel["targets"]:
            yield panel["title"]


def target_rate_interval(dashboard: Json) -> Iterator[str]:
    for where, expr in expressions(dashboard):
        for one in selectors(expr):
            if one.function in ("rate", "irate") and one.range != "$__rate_interval":
                yield f"{where}: {one.function} over {one.range}"


def _target(name: str) -> Rule:
    def rule(dashboard: Json) -> Iterator[str]:
        for panel in panels(dashboard):
            for target in panel["targets"]:
                for one in selectors(target["expr"]):
                    if one.matchers.get(name) != ("=~", f"${name}"):
                        yield f"{panel['title']}: {one.metric} is not narrowed by ${name}"

    return rule


def target_counter_agg(dashboard: Json) -> Iterator[str]:
    for where, expr in expressions(dashboard):
        for one in selectors(expr):
            if one.metric.endswith("_total") and one.function not in ("rate", "irate", "increase"):
                yield f"{where}: {one.metric} in {one.function or 'nothing'}"


def uneditable_dashboard(dashboard: Json) -> Iterator[str]:
    if dashboard["editable"]:
        yield "it can be edited"


RULES: dict[str, Rule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": _template("job"),
    "template-instance-rule": _template("instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": _target("job"),
    "target-instance-rule": _target("instance"),
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable_dashboard,
}
