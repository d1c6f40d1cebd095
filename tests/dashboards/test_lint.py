"""Every dashboard passes every rule of the linter without an exclusion, and each rule finds its mistake."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest

from dashboards.linter import RULES
from dashboards.shipped import NAMES, Json, panels, read


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rule", RULES)
def test_dashboards_pass(rule: str, name: str) -> None:
    assert list(RULES[rule](read(name))) == []


def _first(dashboard: Json) -> Json:
    return next(panels(dashboard))


def _variable(dashboard: Json, name: str) -> Json:
    found: Json = next(one for one in dashboard["templating"]["list"] if one["name"] == name)
    return found


def _each_expr(change: Callable[[str], str]) -> Callable[[Json], None]:
    def spoil(dashboard: Json) -> None:
        for panel in panels(dashboard):
            for target in panel["targets"]:
                target["expr"] = change(target["expr"])

    return spoil


SPOILT: dict[str, list[Callable[[Json], None]]] = {
    "template-datasource-rule": [
        lambda made: _variable(made, "datasource").update(label="Datasource"),
        lambda made: _variable(made, "datasource").update(name="source"),
        lambda made: _variable(made, "datasource").update(query="loki"),
        lambda made: made["templating"]["list"].pop(0),
    ],
    "template-job-rule": [
        lambda made: _variable(made, "job").update(allValue=".*"),
        lambda made: _variable(made, "job").update(name="jobs"),
    ],
    "template-instance-rule": [lambda made: _variable(made, "instance").update(multi=False)],
    "template-label-promql-rule": [
        lambda made: _variable(made, "target").update(query={"query": "query_result(triggerdev_up)"})
    ],
    "template-on-time-change-reload-rule": [lambda made: _variable(made, "target").update(refresh=1)],
    "panel-datasource-rule": [
        lambda made: _first(made).update(datasource={"type": "prometheus", "uid": "abc"}),
        lambda made: _first(made)["targets"][0].pop("datasource"),
    ],
    "panel-title-description-rule": [
        lambda made: _first(made).update(title=""),
        lambda made: _first(made).update(description="Alerts."),
    ],
    "panel-units-rule": [lambda made: _first(made)["fieldConfig"]["defaults"].pop("unit")],
    "panel-no-targets-rule": [lambda made: _first(made).update(targets=[])],
    "target-rate-interval-rule": [_each_expr(lambda expr: expr.replace("$__rate_interval", "5m"))],
    "target-job-rule": [_each_expr(lambda expr: expr.replace('job=~"$job", ', ""))],
    "target-instance-rule": [_each_expr(lambda expr: expr.replace("instance=~", "instance="))],
    "target-counter-agg-rule": [_each_expr(lambda expr: re.sub(r"rate\((.*?)\[\$__rate_interval\]\)", r"\1", expr))],
    "uneditable-dashboard": [lambda made: made.update(editable=True)],
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_its_mistake(rule: str) -> None:
    for spoil in SPOILT[rule]:
        made = copy.deepcopy(read("overview"))
        spoil(made)
        assert list(RULES[rule](made)) != []
