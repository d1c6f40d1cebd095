"""The shipped rules as a PrometheusRule: promtool reads them, and nobody is told twice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.helm import CHART, CI, ONE_SECRET, Refused, Rendered

Object = dict[str, Any]
Render = Callable[[Object], Rendered]

FOLDER = CHART.parents[1] / "alerts" / "prometheus"
RECEIVERS = {"receivers": {"ops": {"webhook": {"url_file": "url"}}}, "routes": {"receiver": "ops"}}


def asked(**more: object) -> Object:
    return ONE_SECRET | {"prometheusRule": {"enabled": True, **more}}


def groups(rendered: Rendered) -> list[Object]:
    found: list[Object] = rendered.one("PrometheusRule")["spec"]["groups"]
    return found


def alerts(rendered: Rendered) -> dict[str, Object]:
    return {rule["alert"]: rule for group in groups(rendered) for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("mode", ["held", "promql"])
def test_unchanged_they_are_the_rules_of_the_folder(render: Render, mode: str) -> None:
    shipped = yaml.safe_load((FOLDER / f"{mode}.rules.yml").read_text("utf-8"))
    assert groups(render(asked(mode=mode))) == shipped["groups"]  # which promtool tests


SOME = [
    *(values for values in CI.values() if values.get("prometheusRule", {}).get("enabled")),
    asked(mode="promql", disable=["QueueStalled"], overrides={"RunsCrashing": {"keep_firing_for": "1h"}}),
]


@pytest.mark.parametrize("values", SOME)
def test_promtool_reads_them(render: Render, require: Callable[[str], str], tmp_path: Path, values: Object) -> None:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(render(values).one("PrometheusRule")["spec"]), "utf-8")
    check = [require("promtool"), "check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yml")]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_is_left_out_with_what_is_recorded_for_it(render: Render) -> None:
    whole, less = (groups(render(asked(mode="promql", disable=off))) for off in ([], ["TaskFailureRateHigh"]))
    gone = [rule for group in whole for rule in group["rules"] if rule not in [r for g in less for r in g["rules"]]]
    assert {rule.get("alert") or rule["labels"]["alertname"] for rule in gone} == {"TaskFailureRateHigh"}
    assert len(gone) > 1


def test_a_group_that_lost_all_its_rules_is_gone(render: Render) -> None:
    every = groups(render(asked()))
    only = next(group for group in every if len(group["rules"]) == 1)
    found = groups(render(asked(disable=[only["rules"][0]["alert"]])))
    assert found == [group for group in every if group != only]


def test_an_alert_is_told_otherwise(render: Render) -> None:
    before = alerts(render(asked()))["QueueStalled"]
    other = {"for": "15m", "expr": "vector(1)", "labels": {"severity": "info"}, "annotations": {"owner": "ops"}}
    more = {"additionalLabels": {"team": "a", "severity": "x"}, "runbookBaseUrl": "https://wiki.example.com/rb/"}
    after = alerts(render(asked(overrides={"QueueStalled": other}, additionalAnnotations={"note": "n"}, **more)))
    one = after["QueueStalled"]
    assert (one["for"], one["expr"]) == ("15m", "vector(1)")
    assert one["labels"] == {"severity": "info", "team": "a"}
    assert one["annotations"] == before["annotations"] | {
        "owner": "ops",
        "note": "n",
        "runbook_url": "https://wiki.example.com/rb/QueueStalled.md",
    }
    assert after["QueuePaused"]["labels"]["team"] == "a"


def test_what_stands_in_braces_is_for_prometheus(render: Render) -> None:
    other = {"QueueStalled": {"annotations": {"summary": "{{ $labels.queue }} {{ .Release.Name }}"}}}
    summary = alerts(render(asked(overrides=other)))["QueueStalled"]["annotations"]["summary"]
    assert summary == "{{ $labels.queue }} {{ .Release.Name }}"


@pytest.mark.parametrize("where", [{"disable": ["QueueStaled"]}, {"overrides": {"QueueStaled": {"for": "1m"}}}])
def test_a_name_that_no_rule_has_is_refused(render: Render, where: Object) -> None:
    with pytest.raises(
        Refused, match=r'names an alert "QueueStaled", and no shipped rule is called that; they are .*QueueS'
    ):
        render(asked(**where))


def test_an_override_of_what_is_left_out_is_refused(render: Render) -> None:
    with pytest.raises(Refused, match='overrides names "QueueStalled", which mode held does not have or'):
        render(asked(disable=["QueueStalled"], overrides={"QueueStalled": {"for": "1m"}}))


def test_whoever_would_be_told_twice_is_asked_first(render: Render) -> None:
    both = asked() | {"alerts": {"files": {"alerts.yml": RECEIVERS}}}
    with pytest.raises(Refused, match=r"the receivers in alerts\.files \(ops\) would both tell of .*QueueStalled"):
        render(both)
    as_text = {"alerts": {"files": {"alerts.yml": yaml.safe_dump(RECEIVERS)}}}
    with pytest.raises(Refused, match="everybody would be told twice"):
        render(asked() | as_text)
    assert alerts(render(both | {"alerts": both["alerts"] | {"allowBoth": True}}))


def test_each_alert_may_be_told_by_one_of_them(render: Render) -> None:
    every = list(alerts(render(asked(mode="promql"))))
    files = {"alerts": {"files": {"alerts.yml": RECEIVERS}}}
    render(asked(mode="promql", disable=every[:3]) | files | {"config": {"alerts": {"disable": every[3:]}}})
    render(asked(mode="promql") | files | {"config": {"alerts": {"shipped": False}}})
    with pytest.raises(Refused, match=f"would both tell of {every[2]}: "):
        render(asked(mode="promql", disable=every[:2]) | files | {"config": {"alerts": {"disable": every[3:]}}})


def test_rules_without_receivers_are_no_second_voice(render: Render) -> None:
    render(asked() | {"alerts": {"files": {"mine.yml": {"groups": []}}}})


def test_what_does_not_decide_cannot_be_passed_on(render: Render) -> None:
    with pytest.raises(Refused, match="use mode promql"):
        render(asked() | {"config": {"alerts": {"shipped": False}}})


def test_none_are_made_unless_asked_for(render: Render) -> None:
    assert not render(ONE_SECRET).all("PrometheusRule")
