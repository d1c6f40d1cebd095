"""Where alerts lead: every condition has a dashboard, addresses come before paths, and what a person wrote stays."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.export.alerting import Mode, export
from triggerdev_alerts.export.links import BOARDS, Places
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile

ROOT = Path(__file__).parents[3]


def rules(when: str, annotations: str = "") -> RuleSet:
    text = f"groups: [{{name: g, rules: [{{alert: A, when: {when}, annotations: {{{annotations}}}}}]}}]"
    return read_rules([RuleFile("rules.yml", text)]).ruleset


def links(ruleset: RuleSet, places: Places | None = None, mode: Mode = Mode.HELD) -> dict[str, str]:
    (one,) = export(ruleset, mode, places).rules
    return {name: text for name, text in one.annotations.items() if name.endswith("_url")}


def test_every_condition_has_a_dashboard() -> None:
    assert BOARDS.keys() == CONDITIONS.keys()


@pytest.mark.parametrize("mode", Mode)
def test_shipped_rules_lead_to_what_is_there(mode: Mode) -> None:
    dashboards = {}
    for path in (ROOT / "grafana" / "dashboards").glob("*.json"):
        made = json.loads(path.read_text("utf-8"))
        dashboards[made["uid"]] = {one["name"] for one in made["templating"]["list"]}
    for one in export(read_rules(shipped_rules()).ruleset, mode).rules:
        uid, _, query = one.annotations["dashboard_url"].removeprefix("/d/").partition("?")
        assert set(re.findall(r"var-(\w+)=", query)) <= dashboards[uid]
        assert (ROOT / one.annotations["runbook_url"]).is_file()
        assert one.annotations["status_url"].startswith(("/alerts", "/tasks/"))


def test_paths_lead_to_the_task_or_the_queue() -> None:
    assert links(rules("{failure_rate: {window: 10m, above: 10%}}")) == {
        "dashboard_url": (
            "/d/triggerdev-task?var-target={{ $labels.target | urlquery }}&var-task={{ $labels.task | urlquery }}"
        ),
        "status_url": "/tasks/{{ $labels.task | urlquery }}",
    }
    assert links(rules("{queue_paused: }")) == {
        "dashboard_url": (
            "/d/triggerdev-queues?var-target={{ $labels.target | urlquery }}&var-queue={{ $labels.queue | urlquery }}"
        ),
        "status_url": "/alerts",
    }
    assert links(rules("{view_lag: {above: 2m}}"), mode=Mode.PROMQL) == {
        "dashboard_url": "/d/triggerdev-exporter?var-target={{ $labels.target | urlquery }}",
        "status_url": "/alerts",
    }


def test_addresses_come_before_paths_and_what_a_person_wrote_stays() -> None:
    places = Places("https://git.example/shop/", "https://grafana.example", "https://exporter.example/")
    own = "runbook: docs/jam.md, dashboard: 'https://grafana.example/d/mine'"
    assert links(rules("{queue_paused: }", own), places) == {
        "runbook_url": "https://git.example/shop/docs/jam.md",
        "dashboard_url": "https://grafana.example/d/mine",
        "status_url": "https://exporter.example/alerts",
    }
