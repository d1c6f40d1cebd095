"""The rows of conditions: one each, over families and labels that the exporter has, and reasons where there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import Value
from triggerdev_alerts.export.alerting import Mode, export
from triggerdev_alerts.export.conditions import FAMILIES, PREFIX, ROWS, UNTARGETED, written
from triggerdev_alerts.export.prometheus import left_out
from triggerdev_alerts.export.stages import STAGES
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_exporter.metrics.catalogue import ALL, own_labels

SAMPLES = Path(__file__).with_name("samples.yml")


def rules_of(text: str) -> RuleSet:
    return read_rules([RuleFile("rules.yml", text)]).ruleset


def rule(when: str, more: str = "") -> RuleSet:
    return rules_of(f"groups: [{{name: g, rules: [{{alert: A, when: {when}{more}}}]}}]")


def test_every_condition_has_a_row() -> None:
    assert list(ROWS) == list(CONDITIONS)


def test_every_condition_that_can_be_written_has_stages_and_a_sample() -> None:
    writable = [name for name, row in ROWS.items() if row.write is not None]
    assert list(STAGES) == writable
    assert {rule.when.type for rule in rules_of(SAMPLES.read_text("utf-8")).rules} == set(writable)


def test_families_are_those_of_the_exporter() -> None:
    known = {family.full_name: own_labels(family) for family in ALL}
    for name, labels in FAMILIES.items():
        assert set(labels) <= set(known[PREFIX + name]), name
        assert ("target" in known[PREFIX + name]) == (name not in UNTARGETED), name
        # A label that is not listed would be lost in the maximum over instances, and its series with it.
        assert name == "alert_firing" or set(known[PREFIX + name]) - {"target"} == set(labels), name


class Looked(dict[str, Value]):
    """Values that remember which of them were asked for."""

    asked: set[str]

    def __getitem__(self, key: str) -> Value:
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Value = None) -> Value:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)


def test_no_key_of_a_condition_is_overlooked() -> None:
    """A key that is new in the catalogue must be written too, or make the rule one that cannot be."""
    asked: dict[str, set[str]] = {}
    for rule in rules_of(SAMPLES.read_text("utf-8")).rules:
        values = Looked(rule.when.values)
        values.asked = asked.setdefault(rule.when.type, set())
        written(replace(rule, when=replace(rule.when, values=values)))
    for name, keys in asked.items():
        assert keys >= {key.name for key in CONDITIONS[name].keys}, name


@pytest.mark.parametrize("mode", Mode)
def test_every_family_and_label_of_an_expression_is_listed(mode: Mode) -> None:
    exported = export(rules_of(SAMPLES.read_text("utf-8")), mode)
    texts = [text for one in exported.rules for text in (one.expr, *(record.expr for record in one.records))]
    used = {name for text in texts for name in re.findall(r"\btriggerdev_([a-z_]+)", text)}
    assert used <= FAMILIES.keys()
    for text in texts:
        for name, inside in re.findall(r"triggerdev_([a-z_]+)\{([^}]*)\}", text):
            labels = re.findall(r"([a-z]+)=~?\"", inside)
            assert set(labels) <= {"target", *FAMILIES[name]}, text


@pytest.mark.parametrize(
    ("when", "why"),
    [
        (
            "{failure_rate: {by: [queue], window: 5m, above: 10%}}",
            "it splits by queue, and triggerdev_runs_finished_total has no such label",
        ),
        (
            "{failure_count: {window: 5m, above: 1, tag: 'team:*'}}",
            "it is narrowed by tag, and triggerdev_runs_finished_total has no such label",
        ),
        (
            "{cost: {window: 5m, above: 1 USD, include_test: true}}",
            "it includes test runs, which the families leave out",
        ),
        (
            "{stuck_runs: {older_than: 5m, above: 3}}",
            "it counts stuck runs, and the families tell the age of the oldest only; above: 0 can",
        ),
        (
            "{consecutive_failures: {by: [target]}}",
            "failures in a row are told task by task; split it by task",
        ),
        ("{source_down: {reason: auth}}", "no family tells why a collector fails now; reason: any can"),
        (
            "{duration: {window: 5m, above: 5m}}",
            "a percentile: the buckets of a histogram are too coarse for one that is exact to 1 %",
        ),
    ],
)
def test_what_cannot_be_written_is_told(when: str, why: str) -> None:
    exported = export(rule(when), Mode.PROMQL)
    assert exported.rules == ()
    (told,) = left_out(exported)
    assert told.endswith(f"is left out: {why}")
    assert len(export(rule(when), Mode.HELD).rules) == 1


def test_rules_that_are_off_are_nowhere() -> None:
    exported = export(rule("{queue_paused: }", ", enabled: false"), Mode.HELD)
    assert (exported.rules, exported.left_out) == ((), ())
