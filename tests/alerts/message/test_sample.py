"""Made-up notifications: one of every condition, in the rule's own words."""

from __future__ import annotations

import pytest

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.message.sample import TEST_RULE, sample
from triggerdev_alerts.message.text import full, silence_line, title
from triggerdev_alerts.notification import NoticeKind, Why
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import Route, Rule
from triggerdev_alerts.rules.sources import RuleFile

NOW = 1_763_985_750_000  # 2025-11-24 12:02:30 UTC
ROUTE = Route(receiver="ops", path="0")

WHENS = {
    "failure_rate": ("{window: 15m, above: 10%}", "send-email in shop-prod: 42.1% of 57 runs failed in 15m"),
    "failure_count": ("{window: 15m, above: 4}", "send-email in shop-prod: 7 runs failed in 15m"),
    "consecutive_failures": ("", "send-email in shop-prod: the last 4 runs failed"),
    "no_success": ("{older_than: 26h}", "send-email in shop-prod: no success for 1 d 15 h"),
    "no_runs": ("{window: 1h}", "send-email in shop-prod: no run in 1h, 57 in the 1h before"),
    "queue_depth": ("{above: 500}", "queue task/send-email in shop-prod: 800 runs wait"),
    "queue_age": ("{above: 10m}", "queue task/send-email in shop-prod: the oldest run has waited for 15 min"),
    "queue_stalled": ("", "queue task/send-email in shop-prod: 3 runs wait and none runs"),
    "queue_saturated": (
        "",
        "queue task/send-email in shop-prod: 100% of the concurrency limit is used and runs wait",
    ),
    "queue_paused": ("", "queue task/send-email in shop-prod: paused, and 3 runs wait"),
    "stuck_runs": ("{older_than: 30m}", "send-email in shop-prod: 3 runs are EXECUTING for more than 30m"),
    "slow_runs": ("", "send-email in shop-prod: 3 runs execute for more than 3 times the usual"),
    "duration": ("{window: 15m, above: 5m}", "send-email in shop-prod: p95 of durations in 15m is 7 min 30 s"),
    "wait": ("{window: 15m, above: 1m}", "send-email in shop-prod: p95 of waits in 15m is 1 min 30 s"),
    "expired_runs": ("{window: 15m, above: 5}", "send-email in shop-prod: 8 of 57 runs expired in 15m"),
    "cost": ("{window: 1d, above: 50 USD}", "shop-prod: $70.00 spent in 1d"),
    "quota_low": ("{below: 10%}", "shop-prod: 5% of the rate limit is left"),
    "notifier_failing": ("", "receiver ops-slack: failing for 7 min 30 s, 57 given up in the last hour"),
}


def rule(when: str, more: str = "") -> Rule:
    text = f"groups: [{{name: g, rules: [{{alert: A, when: {when}{more}}}]}}]"
    return read_rules([RuleFile("rules.yml", text)]).ruleset.rules[0]


@pytest.mark.parametrize("name", WHENS)
def test_what_is_said_is_what_the_rule_would_say(name: str) -> None:
    written, said = WHENS[name]
    (alert,) = sample(rule(f"{{{name}: {written}}}"), ROUTE, now=NOW).alerts
    assert dict(alert.annotations)["summary"] == said


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_has_a_sample(name: str) -> None:
    row = CONDITIONS[name]
    wanted = {key.name: key.example for key in row.keys if key.default == "required"}
    when = f"{{{row.name}: {{{', '.join(f'{key}: {example}' for key, example in wanted.items())}}}}}"
    told = sample(rule(when), ROUTE, now=NOW)
    assert told.alerts[0].says
    assert full(told) == full(sample(rule(when), ROUTE, now=NOW)), "the same at the same instant"


def test_names_are_those_that_the_rule_watches() -> None:
    when = '{failure_rate: {window: 15m, above: 10%, task: ["billing-*", charge]}}'
    told = sample(rule(when, ", severity: critical"), ROUTE, (("char*", "payments"),), now=NOW)
    assert dict(told.alerts[0].labels) == {
        "alertname": "A", "owner": "payments", "severity": "critical", "target": "shop-prod", "task": "charge",
    }  # fmt: skip
    assert told.group_key == 'ops/0{alertname="A",target="shop-prod"}'
    assert title(told) == "[FIRING, critical] A in shop-prod"
    assert silence_line(told) == "triggerdev-exporter silence add alertname=A target=shop-prod task=charge --for 2h"


def test_evidence_is_what_the_rule_wants_of_it() -> None:
    when = "{failure_rate: {window: 15m, above: 10%}}"
    assert "19 × SmtpError: 550 mailbox full" in full(sample(rule(when), ROUTE, now=NOW))
    shy = sample(rule(when, ", evidence: {errors: name, top_errors: 1, failing_runs: 0}"), ROUTE, now=NOW)
    assert [(error.name, error.message) for error in shy.alerts[0].evidence.errors] == [("SmtpError", "")]
    assert shy.alerts[0].evidence.runs == ()


def test_a_resolved_one_is_told_as_such() -> None:
    told = sample(rule("{queue_paused: }"), ROUTE, now=NOW, is_resolved=True)
    assert (told.kind, told.why) == (NoticeKind.RESOLVED, Why.ALL_RESOLVED)
    assert "resolved after 18 min 30 s: the condition is no longer true" in full(told)


def test_a_test_says_so_and_can_silence_nothing() -> None:
    told = sample(TEST_RULE, ROUTE, now=NOW, is_test=True)
    assert title(told) == "[TEST, FIRING, info] ReceiverTest in shop-prod"
    assert "This is a test: nothing is wrong." in full(told)
    assert silence_line(told) == ""
