"""Whatever rules a person may write can be exported: promtool takes the document, and its tests are green."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml import YAML

from promtool_stage import call, each, failed, write
from rule_files import conditions, rules
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.errors import RulesError
from triggerdev_alerts.export.alerting import AlertRule, Exported, Mode, export
from triggerdev_alerts.export.conditions import ROWS
from triggerdev_alerts.export.prometheus import rules_file
from triggerdev_alerts.instants import HOUR
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile

EACH = 5


def dumped(data: dict[str, Any]) -> str:
    text = StringIO()
    YAML(typ="safe", pure=True).dump(data, text)
    return text.getvalue()


@pytest.fixture(scope="module")
def drawn() -> RuleSet:
    """Some rules of each condition, as hypothesis draws them; those that cannot be read are left out."""
    found: list[dict[str, Any]] = []

    def draw(name: str) -> None:
        @settings(max_examples=EACH, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        @given(rule=rules("A"), when=conditions(CONDITIONS[name]))
        def keep(rule: dict[str, Any], when: dict[str, Any]) -> None:
            named = rule | {"alert": f"A{len(found)}", "when": when, "enabled": True}
            try:
                read_rules([RuleFile("one.yml", dumped({"groups": [{"name": "g", "rules": [named]}]}))])
            except RulesError:
                return
            found.append(named)

        keep()

    for name, row in ROWS.items():
        if row.write is not None:
            draw(name)
    owners = {"billing-*": "payments", "*": "platform"}
    text = dumped({"owners": owners, "groups": [{"name": "g", "rules": found}]})
    return read_rules([RuleFile("rules.yml", text)]).ruleset


def quick(one: Exported) -> Iterator[AlertRule]:
    """Those whose tests take no days."""
    return (rule for rule in one.rules if rule.rule.window <= HOUR and rule.for_ <= HOUR)


@pytest.mark.parametrize("mode", Mode)
def test_promtool_takes_it(require: Callable[[str], str], tmp_path: Path, drawn: RuleSet, mode: Mode) -> None:
    one = export(drawn, mode)
    assert len(one.rules) + len(one.left_out) == len(drawn.rules) > 3 * len(ROWS)
    (tmp_path / "all.rules.yml").write_text(rules_file(one), "utf-8")
    checked = call(require("promtool"), "check", "rules", str(tmp_path / "all.rules.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    short = replace(one, groups=tuple(replace(group, rules=tuple(quick(one))) for group in one.groups))
    done = call(require("promtool"), "test", "rules", *write(tmp_path, each(short)))
    assert failed(done) == ""
