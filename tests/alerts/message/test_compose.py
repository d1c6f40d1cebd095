"""One alert in words: every condition's sentence, the defaults, what is held, and caps."""

from __future__ import annotations

import pytest

from message_samples import EVIDENCE, FAILURES, FIRED, NOW, PLAIN, QUEUE, alert, notice, rule
from triggerdev_alerts.alert import Reason
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import Kind, Missing, Value
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.message.compose import LONGEST_ANNOTATION, LONGEST_EVIDENCE, compose
from triggerdev_alerts.message.template import problems
from triggerdev_alerts.notification import AlertNotice
from triggerdev_alerts.signals import NO_EVIDENCE, ErrorCount, Evidence, RunLink, Unit

WRITTEN: dict[Kind, Value] = {
    Kind.DURATION: 15 * MINUTE,
    Kind.PERCENT: 0.1,
    Kind.COUNT: 5,
    Kind.PERCENT_OR_COUNT: 0.05,
    Kind.TIMES: 5.0,
    Kind.MONEY: 50.0,
}
LARGE = {Unit.COUNT: 7.0, Unit.FRACTION: 0.42, Unit.MILLIS: 20.0 * MINUTE, Unit.USD: 71.5, Unit.FLAG: 1.0}
SMALL = {Unit.COUNT: 5.0, Unit.FRACTION: 0.1, Unit.MILLIS: 15.0 * MINUTE, Unit.USD: 50.0, Unit.FLAG: 0.0}

SENTENCES = {
    "failure_rate": "42% of 57 runs failed in 15m (above 10%)",
    "failure_count": "7 runs failed in 15m (above 5)",
    "consecutive_failures": "the last 7 runs failed (above 5)",
    "no_success": "no success for 20 min (limit 15 min)",
    "no_runs": "no run in 15m, 57 in the 15m before",
    "queue_depth": "7 runs wait (above 5)",
    "queue_age": "the oldest run has waited for 20 min (above 15 min)",
    "queue_stalled": "7 runs wait and none runs",
    "queue_saturated": "42% of the concurrency limit is used and runs wait (at least 10%)",
    "queue_paused": "paused, and 7 runs wait",
    "stuck_runs": "7 runs are EXECUTING for more than 15m (above 5)",
    "slow_runs": "7 runs execute for more than 3 times the usual",
    "duration": "p95 of durations in 15m is 20 min (above 15 min)",
    "wait": "p95 of waits in 15m is 20 min (above 15 min)",
    "expired_runs": "42% of 57 runs expired in 15m (above 10%)",
    "trigger_spike": "7 runs triggered in 15m (above 5)",
    "batch_failures": "42% of 57 batch items failed in 15m (above 10%)",
    "batch_stuck": "7 batches are PROCESSING for more than 15m",
    "missed_schedule": "7 slots in a row passed without a run",
    "all_schedules_missed": "no schedule starts its runs",
    "deployment_failed": "the newest deployment failed",
    "deployment_stuck": "7 deployments are open for more than 15m",
    "waitpoint_stale": "7 waitpoint tokens wait for more than 15m",
    "cost": "$71.50 spent in 15m (above $50.00)",
    "view_lag": "runs become visible 20 min late (above 15 min)",
    "source_down": "no successful look at the API for 20 min (limit 15 min)",
    "quota_low": "42% of the rate limit is left (below 10%)",
    "clock_skew": "our clock is 20 min off (above 15 min)",
    "notifier_failing": "failing for 20 min, 57 given up in the last hour (limit 15 min)",
    "outbox_stalled": "the oldest notification waits for 20 min (limit 15 min)",
    "rule_failing": "could not be evaluated for 20 min (limit 15 min)",
    "rule_never_matched": "has matched nothing for 20 min (limit 15 min)",
}
SINGULARS = {
    "failure_count": "1 run failed in 15m",
    "consecutive_failures": "the last run failed",
    "queue_depth": "1 run waits",
    "queue_stalled": "1 run waits and none runs",
    "queue_paused": "paused, and 1 run waits",
    "stuck_runs": "1 run is EXECUTING for more than 15m",
    "slow_runs": "1 run executes for more than 3 times the usual",
    "batch_stuck": "1 batch is PROCESSING for more than 15m",
    "missed_schedule": "the latest slot passed without a run",
    "deployment_stuck": "1 deployment is open for more than 15m",
    "waitpoint_stale": "1 waitpoint token waits for more than 15m",
}


def said(condition: str, value: float, threshold: float) -> AlertNotice:
    row = CONDITIONS[condition]
    values = {key.name: WRITTEN[key.kind] for key in row.keys if isinstance(key.default, Missing)}
    made = rule("R", condition, values)
    return notice(made, alert(made, *("x" for _ in row.by), value=value, threshold=threshold))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_has_its_sentence(condition: str) -> None:
    row = CONDITIONS[condition]
    threshold = SMALL[row.unit] if row.limit else 0
    assert said(condition, LARGE[row.unit], threshold).says == SENTENCES[condition]
    if row.says_one:
        assert said(condition, 1, 0).says == SINGULARS[condition]


def test_a_share_or_a_number_of_expired_runs() -> None:
    counted = rule("R", "expired_runs", {"window": HOUR, "above": 5})
    told = notice(counted, alert(counted, "x", value=7, threshold=5, sample=100))
    assert (told.unit, told.says) == ("count", "7 of 100 runs expired in 1h (above 5)")
    assert said("expired_runs", 0.42, 0.1).unit == "fraction"


def test_the_notice_tells_what_the_alert_is() -> None:
    told = notice(FAILURES, alert(FAILURES, "send-email", owner="payments"), evidence=EVIDENCE)
    assert told.annotations == (
        ("dashboard", "https://grafana.example/d/tasks?task=send-email"),
        ("description", "Customers get no order confirmations while this fails."),
        ("runbook", "https://wiki.example/runbooks/send-email"),
        ("summary", "send-email fails: 42.1% of 57 runs"),
    )
    assert (told.status, told.starts_at, told.ends_at, told.reason) == ("firing", FIRED, None, "condition_met")
    assert (told.value, told.threshold, told.sample, told.unit) == (24 / 57, 0.1, 57, "fraction")
    assert told.evidence == EVIDENCE


@pytest.mark.parametrize("text", ["", "{{ owner }}", "  {{ labels.team }}"])
def test_an_empty_summary_becomes_the_default(text: str) -> None:
    made = rule("R", "failure_rate", {"window": 15 * MINUTE, "above": 0.1}, annotations={"summary": text.strip()})
    told = notice(made, alert(made, "send-email"))
    assert dict(told.annotations)["summary"] == "send-email in shop-prod: 42.1% of 57 runs failed in 15m"


def test_default_summaries_name_their_subject() -> None:
    queue = notice(QUEUE, alert(QUEUE, "task/import", value=812, threshold=500))
    assert dict(queue.annotations)["summary"] == "queue task/import in shop-prod: 812 runs wait"
    assert dict(said("deployment_failed", 1, 0).annotations)["summary"] == "shop-prod: the newest deployment failed"
    own = rule("R", "rule_failing", {})
    itself = alert(own, "g/Other", value=20 * MINUTE, target="", labels=(("alertname", "R"), ("rule", "g/Other")))
    assert dict(notice(own, itself).annotations)["summary"] == "rule g/Other: could not be evaluated for 20 min"


def test_a_broken_template_is_sent_as_it_was_written() -> None:
    made = rule("R", "queue_depth", {"above": 5}, annotations={"summary": "{{ queue | nonsense }}"})
    assert dict(notice(made, alert(made, "q", value=7)).annotations)["summary"] == "{{ queue | nonsense }}"


def test_all_fields_have_a_value_where_there_is_one() -> None:
    text = "{{ group }}|{{ says }}|{{ status }}|{{ reason }}|{{ since }}|{{ until }}|{{ lasted }}|{{ fingerprint }}"
    more = "{{ top_error }}|{{ top_error_count }}|{{ since_version }}|{{ run_id }}|{{ window }}|{{ labels.target }}"
    made = rule("R", "failure_rate", {"window": 15 * MINUTE, "above": 0.1}, annotations={"summary": text, "more": more})
    assert problems(text) == problems(more) == []
    one = alert(made, "a")
    end = FIRED + 80 * MINUTE
    told = notice(made, one, ended_at=end, reason=Reason.ENTITY_GONE, evidence=EVIDENCE, now=end + HOUR)
    assert dict(told.annotations) == {
        "summary": "reliability|42.1% of 57 runs failed in 15m (above 10%)|resolved|it does not exist any more"
        f"|2025-11-24 12:02 UTC|2025-11-24 13:22 UTC|1 h 20 min|{one.fingerprint}",
        "more": "SmtpError 550 5.7.1 relaying denied for <id>@example.com|19|20251124.3|run_cm3x0k2p000108l4"
        "|15 min|shop-prod",
    }


def test_a_held_alert_says_since_when_and_why() -> None:
    held = alert(PLAIN, "a", stale_since=NOW, stale_reason="auth")
    told = notice(PLAIN, held, now=NOW + HOUR)
    assert told.held_since == NOW
    assert told.says == (
        "42.1% of 57 runs failed in 15m (above 10%); "
        "held without news since 2025-11-24 12:02 UTC: the API refuses the key"
    )
    ended = notice(PLAIN, held, ended_at=NOW, reason=Reason.MANUAL)
    assert (ended.held_since, ended.says) == (0, "42.1% of 57 runs failed in 15m (above 10%)")


def test_a_value_that_is_not_above_any_more_says_so() -> None:
    assert notice(PLAIN, alert(PLAIN, "a", value=0.1)).says == "10% of 57 runs failed in 15m (no longer above 10%)"


def test_an_alert_that_fires_without_data_claims_no_value() -> None:
    told = notice(QUEUE, alert(QUEUE, "q", value=3), reason=Reason.NO_DATA)
    assert told.says == "there is no data"
    assert dict(told.annotations)["summary"] == "queue q in shop-prod: there is no data"


def test_a_rule_that_is_gone_leaves_the_labels() -> None:
    told = compose(
        None, alert(PLAIN, "a"), ended_at=NOW, reason=Reason.RULE_REMOVED, evidence=NO_EVIDENCE, now=NOW
    )  # fmt: skip
    assert told.annotations == (("summary", "a in shop-prod: TaskFailureRateHigh"),)


def test_what_comes_from_outside_is_capped_and_can_be_stored() -> None:
    long = "\ud800" + "x" * 60_000
    evidence = Evidence(
        (ErrorCount(long, long, 1),) * 50, (RunLink(long, "https://x/" + "y" * 5_000, long),) * 50, long, (long,) * 50
    )
    made = rule(
        "R", "queue_depth", {"above": 5}, annotations={"summary": "{{ top_error }}", "note": "{{ queue }}" * 2000}
    )
    told = notice(made, alert(made, "q" * 200, value=7), evidence=evidence)
    assert len(dict(told.annotations)["note"]) == LONGEST_ANNOTATION
    assert len(told.evidence.errors) == len(told.evidence.runs) == len(told.evidence.notes) == 20
    assert len(told.evidence.errors[0].message) == len(told.evidence.notes[0]) == LONGEST_EVIDENCE
    assert told.evidence.runs[0].url == ""
    assert "\ud800" not in repr(told)
    repr(told).encode()
