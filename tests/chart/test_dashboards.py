"""Dashboards as Grafana's sidecar or its operator finds them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from chart.helm import CHART, CI, ONE_SECRET, Helm, Refused, Rendered

Render = Callable[[dict[str, Any]], Rendered]

FOLDER = CHART.parents[1] / "grafana" / "dashboards"
LARGEST = 1 << 20
"""What Kubernetes lets an object hold."""

#: What the operator of Grafana asks of the fields that we use; it comes with no validator.
GRAFANA_DASHBOARD = {
    "type": "object",
    "additionalProperties": False,
    "required": ["instanceSelector", "configMapRef"],
    "properties": {
        "folder": {"type": "string"},
        "resyncPeriod": {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"},
        "allowCrossNamespaceImport": {"type": "boolean"},
        "instanceSelector": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"matchLabels": {"type": "object"}, "matchExpressions": {"type": "array"}},
        },
        "configMapRef": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "key"],
            "properties": {"name": {"type": "string"}, "key": {"type": "string"}, "optional": {"type": "boolean"}},
        },
    },
}


def boards(rendered: Rendered) -> list[dict[str, Any]]:
    return [each for each in rendered.all("ConfigMap") if any(name.endswith(".json") for name in each["data"])]


@pytest.mark.parametrize("kind", ["ConfigMap", "GrafanaDashboard"])
def test_every_dashboard_is_there_byte_by_byte(render: Render, kind: str) -> None:
    found = boards(render(ONE_SECRET | {"dashboards": {"enabled": True, "kind": kind}}))
    held = {name: text for each in found for name, text in each["data"].items()}
    assert held == {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert all(json.loads(text)["uid"] for text in held.values())
    assert all(len(json.dumps(each)) < LARGEST // 2 for each in found)


def test_a_sidecar_may_look_for_no_label(render: Render) -> None:
    found = boards(render(ONE_SECRET | {"dashboards": {"enabled": True, "labels": {"grafana_dashboard": None}}}))
    assert found
    assert all("grafana_dashboard" not in each["metadata"]["labels"] for each in found)


def test_the_sidecar_finds_them(render: Render) -> None:
    for each in boards(render(ONE_SECRET | {"dashboards": {"enabled": True, "labels": {"my_boards": "yes"}}})):
        assert each["metadata"]["labels"]["my_boards"] == "yes"
        assert each["metadata"]["annotations"]["grafana_folder"] == "Trigger.dev"


def test_the_operator_finds_them_and_the_sidecar_does_not(render: Render) -> None:
    rendered = render(CI["everything"])
    maps = {each["metadata"]["name"]: each for each in boards(rendered)}
    found = rendered.all("GrafanaDashboard")
    assert len(found) == len(maps) > 0
    for each in found:
        jsonschema.validate(each["spec"], GRAFANA_DASHBOARD)
        held = maps[each["spec"]["configMapRef"]["name"]]
        assert each["spec"]["configMapRef"]["key"] in held["data"]
        # A reference to a ConfigMap has no namespace.
        assert held["metadata"]["namespace"] == each["metadata"]["namespace"] == "grafana"
        assert "grafana_dashboard" not in held["metadata"]["labels"]


def test_none_are_made_unless_asked_for(render: Render) -> None:
    assert boards(render(ONE_SECRET)) == []


def test_a_chart_that_lost_them_says_so(helm: Helm, tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "chart", ignore=shutil.ignore_patterns("dashboards"))
    with pytest.raises(Refused, match=r"dashboards\.enabled is true, and this version of the chart holds none"):
        helm.render(ONE_SECRET | {"dashboards": {"enabled": True}}, chart=tmp_path / "chart")
