"""What the page says of a rule: its condition, and how near it is to firing or what keeps it from being judged."""

from __future__ import annotations

import pytest

from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.evaluation.judge import Judged, Judgement
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.rules.sources import RuleFile
from triggerdev_alerts.signals import Blind, Unknown
from triggerdev_exporter.web.rule_reasons import condition_in_words, reason

RULES = """\
groups:
  - name: g
    rules:
      - {alert: Rate, when: {failure_rate: {window: 15m, above: 10%}}}
      - {alert: Age, when: {queue_age: {above: 10m}}}
      - {alert: Paused, when: {queue_paused: }}
      - {alert: Quota, when: {quota_low: {below: 10%}}}
"""
MINUTE = 60_000.0


def rule(name: str) -> Rule:
    return next(one for one in read_rules([RuleFile("r.yml", RULES)]).ruleset.rules if one.name == name)


def judged(value: float, threshold: float, outcome: Outcome, sample: int | None = None, detail: str = "") -> Judged:
    return Judged(outcome, value, threshold, sample, detail)


def test_a_condition_in_words() -> None:
    assert condition_in_words(rule("Rate")) == "failure_rate, window 15m, above 10%"


@pytest.mark.parametrize(
    ("name", "judgement", "says"),
    [
        ("Rate", Unknown(Blind.FAILING, "runs: http: 500"), "prod: cannot be judged: runs: http: 500."),
        ("Rate", {}, "prod: nothing to judge."),
        (
            "Rate",
            {
                ("a",): judged(0.05, 0.1, Outcome.FALSE, 100),
                ("b",): judged(0.42, 0.1, Outcome.TRUE, 57),
                ("c",): judged(0.9, 0.1, Outcome.INSUFFICIENT, 3, "3 runs are too few to judge by"),
            },
            "prod: 42% of 57 runs failed in 15m; limit: above 10% (b, the nearest of 3).",
        ),
        (
            "Rate",
            {("c",): judged(0.9, 0.1, Outcome.INSUFFICIENT, 3, "3 runs are too few to judge by")},
            "prod: 90% of 3; limit: above 10%; 3 runs are too few to judge by (c).",
        ),
        (
            "Age",
            {("q",): judged(5 * MINUTE, 10 * MINUTE, Outcome.FALSE)},
            "prod: 5 min; limit: above 10 min (queue q).",
        ),
        # Of a paused queue; without the last words one would think that it fires.
        (
            "Age",
            {("q",): judged(40 * MINUTE, 10 * MINUTE, Outcome.FALSE)},
            "prod: 40 min; limit: above 10 min; another part of the condition does not hold (queue q).",
        ),
        ("Paused", {("q",): judged(0, 0, Outcome.FALSE)}, "prod: does not hold (queue q)."),
        ("Quota", {(): judged(0.98, 0.1, Outcome.FALSE)}, "prod: 98%; limit: below 10%."),
    ],
)
def test_how_near_it_is(name: str, judgement: Judgement, says: str) -> None:
    assert reason(rule(name), {"prod": judgement}) == says


def test_what_is_lowest_is_nearest_where_less_is_worse() -> None:
    both = {("a",): judged(0.5, 0.1, Outcome.FALSE), ("b",): judged(0.2, 0.1, Outcome.FALSE)}
    assert reason(rule("Quota"), {"": both}) == "20%; limit: below 10% (the nearest of 2)."
