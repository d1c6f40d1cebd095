"""promtool accepts what is exported, and its generated tests; a changed threshold turns them red."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from promtool_stage import call, each, failed, moved, names, red, threshold, write
from triggerdev_alerts.export.alerting import Exported, Mode, export
from triggerdev_alerts.export.prometheus import rules_file
from triggerdev_alerts.export.promtool import trials
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.sources import RuleFile

Promtool = Callable[..., "subprocess.CompletedProcess[str]"]
SAMPLES = Path(__file__).with_name("samples.yml").read_text("utf-8")
EXAMPLE = (Path(__file__).parents[1] / "rules" / "example.yml").read_text("utf-8")


COMPARE_WITH_NONE = {"Stalled", "StalledAnywhere", "Paused", "PausedAnywhere", "DeployFailed", "CollectorDown"}


@pytest.fixture(scope="module")
def promtool(require: Callable[[str], str]) -> Promtool:
    return partial(call, require("promtool"))


def exported(text: str, mode: Mode) -> Exported:
    return export(read_rules([RuleFile("rules.yml", text)]).ruleset, mode)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("text", [SAMPLES, EXAMPLE], ids=["samples", "example"])
def test_promtool_accepts_rules_and_tests(promtool: Promtool, tmp_path: Path, text: str, mode: Mode) -> None:
    one = exported(text, mode)
    (tmp_path / "all.rules.yml").write_text(rules_file(one), "utf-8")
    checked = promtool("check", "rules", str(tmp_path / "all.rules.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = promtool("test", "rules", *write(tmp_path, each(one)))
    assert failed(done) == ""


def test_every_rule_has_a_test_that_fires() -> None:
    for mode in Mode:
        one = exported(SAMPLES, mode)
        assert {trial.alert for trial in trials(one) if any(look.fires for look in trial.looks)} == names(one)


@pytest.mark.parametrize("factor", [2, 0.5], ids=["more", "less"])
def test_any_changed_threshold_is_noticed(promtool: Promtool, tmp_path: Path, factor: float) -> None:
    one = exported(SAMPLES, Mode.PROMQL)
    done = promtool("test", "rules", *write(tmp_path, each(one), lambda text: moved(text, factor)))
    assert red(done) == {rule.rule.name for rule in one.rules if threshold(rule.expr)}
    assert names(one) - red(done) == COMPARE_WITH_NONE


def test_a_changed_threshold_of_held_rules_is_noticed(promtool: Promtool, tmp_path: Path) -> None:
    one = exported(SAMPLES, Mode.HELD)
    done = promtool("test", "rules", *write(tmp_path, each(one), lambda text: text.replace(") == 1", ") == 2")))
    assert red(done) == names(one)
