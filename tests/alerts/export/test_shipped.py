"""What is generated from the shipped rules is today's, and promtool accepts it; each threshold of it is tested."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from promtool_stage import call, each, failed, moved, names, red, threshold, write
from triggerdev_alerts.export.alerting import Exported, Mode, export
from triggerdev_alerts.export.conditions import ROWS
from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "alerts" / "prometheus"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import prometheus_rules
    finally:
        sys.path.pop(0)
    return prometheus_rules


def shipped(mode: Mode) -> Exported:
    return export(read_rules(shipped_rules()).ruleset, mode)


def test_the_files_are_todays(generator: ModuleType) -> None:
    written = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.yml")}
    assert written == generator.documents(), "run make docs"


def test_the_table_of_conditions_is_todays(generator: ModuleType) -> None:
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    assert generator.filled(page) == page, "run make docs"
    assert [name for name in ROWS if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("mode", Mode)
def test_promtool_accepts_them(require: Callable[[str], str], mode: Mode) -> None:
    checked = call(require("promtool"), "check", "rules", str(FOLDER / f"{mode}.rules.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = call(require("promtool"), "test", "rules", str(FOLDER / f"{mode}_test.yml"))
    assert failed(done) == ""


@pytest.mark.parametrize("factor", [2, 0.5], ids=["more", "less"])
def test_any_changed_threshold_is_noticed(require: Callable[[str], str], tmp_path: Path, factor: float) -> None:
    one = shipped(Mode.PROMQL)
    done = call(require("promtool"), "test", "rules", *write(tmp_path, each(one), lambda text: moved(text, factor)))
    assert red(done) == {rule.rule.name for rule in one.rules if threshold(rule.expr)}


def test_held_leaves_nothing_out() -> None:
    on = {rule.name for rule in read_rules(shipped_rules()).ruleset.rules if rule.enabled}
    assert names(shipped(Mode.HELD)) == on
