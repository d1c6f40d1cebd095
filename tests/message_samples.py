"""A notification of every kind, made of rules and alerts as the engine makes them, and the goldens they become.

`PYTHONPATH=alerts:tests .venv/bin/python tests/message_samples.py` writes the goldens anew; read their diff.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from triggerdev_alerts.alert import Alert, Reason, State, fingerprint
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import Condition, Missing, Value
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.message.compose import compose
from triggerdev_alerts.message.text import full
from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why, notification_id
from triggerdev_alerts.receivers.slack_blocks import payload
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import NO_EVIDENCE, ErrorCount, Evidence, RunLink

GOLDEN = Path(__file__).parent / "alerts" / "message" / "golden"

FIRED = 1_763_985_720_000  # 2025-11-24 12:02 UTC
NOW = FIRED + 30_000
RUNS = "https://cloud.trigger.dev/orgs/acme/projects/shop/env/prod/runs/"
HOSTILE = "<!channel> <@U012AB3CD> &<b>``` *bold* :fire: \u202egpj.exe\x1b[31m\r\n> " + "&<filler>`" * 5_000


def rule(name: str, condition: str, values: dict[str, Value], **more: Any) -> Rule:
    """A rule with the defaults of its condition's row."""
    row = CONDITIONS[condition]
    known: dict[str, Value] = {key.name: key.default for key in row.keys if not isinstance(key.default, Missing)}
    more = {"severity": "critical", **more}
    return Rule(name, "reliability", Condition(condition, row.by, values={**known, **values}), **more)


FAILURES = rule(
    "TaskFailureRateHigh",
    "failure_rate",
    {"window": 15 * MINUTE, "above": 0.1, "clear_below": 0.05},
    annotations={
        "summary": "{{ task }} fails: {{ value | percent }} of {{ sample }} runs",
        "description": "Customers get no order confirmations while this fails.",
        "runbook": "https://wiki.example/runbooks/{{ task | urlencode }}",
        "dashboard": "https://grafana.example/d/tasks?task={{ task | urlencode }}",
    },
)
PLAIN = rule("TaskFailureRateHigh", "failure_rate", {"window": 15 * MINUTE, "above": 0.1})
QUEUE = rule("QueueBacklog", "queue_depth", {"above": 500}, severity="warning", annotations={"runbook": "page Kim"})
COST = rule("SpendHigh", "cost", {"window": 24 * HOUR, "above": 50.0}, severity="info")

EVIDENCE = Evidence(
    errors=(
        ErrorCount("SmtpError", "550 5.7.1 relaying denied for <id>@example.com", 19),
        ErrorCount("TimeoutError", "no answer from mail.example within 30 s", 4),
        ErrorCount("TypeError", "Cannot read properties of undefined (reading 'address')", 1),
    ),
    runs=tuple(
        RunLink(f"run_cm3x{number}k2p000108l4", f"{RUNS}run_cm3x{number}k2p000108l4", status)
        for number, status in enumerate(("FAILED", "FAILED", "TIMED_OUT"))
    ),
    since_version="20251124.3",
    notes=("24 failed and 33 succeeded; 2 of 91 failed in the 15m before.",),
)


def alert(rule: Rule, *values: str, owner: str = "", **changes: Any) -> Alert:
    """An alert of `rule` for the series `values`, in the target shop-prod."""
    dimensions = dict(zip(rule.when.by, values, strict=True))
    named = {"alertname": rule.name, "severity": rule.severity, "target": "shop-prod", "owner": owner, **dimensions}
    labels = tuple(sorted((name, value) for name, value in named.items() if value))
    base: dict[str, Any] = {
        "fingerprint": fingerprint(rule.id, labels),
        "rule": rule.id,
        "labels": labels,
        "key": values,
        "target": "shop-prod",
        "state": State.FIRING,
        "active_at": FIRED - 2 * MINUTE,
        "fired_at": FIRED,
        "value": 24 / 57,
        "threshold": 0.1,
        "sample": 57,
    }
    return Alert(**{**base, **changes})


def notice(
    rule: Rule,
    alert: Alert,
    *,
    ended_at: int | None = None,
    reason: Reason = Reason.CONDITION_MET,
    evidence: Evidence = NO_EVIDENCE,
    now: int = NOW,
) -> AlertNotice:
    return compose(rule, alert, ended_at=ended_at, reason=reason, evidence=evidence, now=now)


def notification(kind: NoticeKind, why: Why, *alerts: AlertNotice, seq: int = 1, **changes: Any) -> Notification:
    labels = (("alertname", "TaskFailureRateHigh"), ("owner", "payments"), ("target", "shop-prod"))
    base: dict[str, Any] = {
        "id": notification_id("ops-slack", "0/1", seq),
        "receiver": "ops-slack",
        "group_key": "0/1",
        "group_labels": labels,
        "seq": seq,
        "kind": kind,
        "why": why,
        "at": NOW,
        "alerts": alerts,
    }
    return Notification(**{**base, **changes})


def _samples() -> Iterator[tuple[str, Notification]]:
    email = alert(FAILURES, "send-email", owner="payments")
    first = notification(NoticeKind.FIRING, Why.FIRST, notice(FAILURES, email, evidence=EVIDENCE))
    yield "firing", first
    yield "firing_plain", notification(NoticeKind.FIRING, Why.FIRST, notice(PLAIN, alert(PLAIN, "send-email")))
    yield "test", notification(NoticeKind.FIRING, Why.TEST, *first.alerts, is_test=True)
    yield (
        "firing_two",
        notification(
            NoticeKind.FIRING,
            Why.NEW_ALERTS,
            first.alerts[0],
            notice(FAILURES, alert(FAILURES, "send-sms", owner="payments", value=0.3), evidence=EVIDENCE),
            notice(
                FAILURES,
                alert(FAILURES, "charge", owner="payments"),
                ended_at=NOW,
                reason=Reason.INSUFFICIENT_SAMPLE,
            ),
            seq=2,
        ),
    )
    many = [
        notice(PLAIN, alert(PLAIN, f"task-{number:03}", value=(100 - number) / 100), evidence=EVIDENCE)
        for number in range(100)
    ]
    yield "firing_many", notification(NoticeKind.FIRING, Why.FIRST, *many)
    end = FIRED + 19 * MINUTE
    ended = notice(FAILURES, email, ended_at=end, reason=Reason.CONDITION_CLEARED, evidence=EVIDENCE, now=end)
    yield "resolved", notification(NoticeKind.RESOLVED, Why.ALL_RESOLVED, ended, at=end + 30_000, seq=3)
    yield (
        "missed_firing",
        notification(NoticeKind.RESOLVED, Why.ALL_RESOLVED, ended, at=end + 30_000, seq=3, missed_firing=True),
    )
    yield (
        "removed",
        notification(
            NoticeKind.RESOLVED,
            Why.ALL_RESOLVED,
            compose(None, email, ended_at=end, reason=Reason.RULE_REMOVED, evidence=NO_EVIDENCE, now=end),
            at=end,
            seq=3,
        ),
    )
    yield "flapping", notification(NoticeKind.FLAPPING, Why.FLAPPING, first.alerts[0], seq=4, changes=6)
    groups = tuple(
        f"[FIRING, warning] QueueBacklog in shop-prod, queue imports-{number}: {number}00 runs wait"
        for number in range(6, 43)
    )
    yield (
        "digest",
        notification(NoticeKind.DIGEST, Why.DIGEST, seq=5, groups=groups, group_labels=()),
    )
    held = alert(
        QUEUE, "task/import", value=812, threshold=500, sample=None, stale_since=NOW + 2 * HOUR, stale_reason="failing"
    )
    yield (
        "held",
        notification(
            NoticeKind.FIRING,
            Why.REPEAT,
            notice(QUEUE, held, now=NOW + 4 * HOUR),
            at=NOW + 4 * HOUR,
            group_labels=(("alertname", "QueueBacklog"), ("target", "shop-prod")),
        ),
    )
    spend = alert(COST, value=71.5, threshold=50, sample=None)
    yield (
        "no_labels",
        notification(
            NoticeKind.FIRING,
            Why.MUTE_ENDED,
            notice(COST, spend),
            notice(QUEUE, alert(QUEUE, "task/import", value=1, threshold=0.5, sample=None)),
            group_labels=(),
        ),
    )
    wild = rule(
        "TaskFailureRateHigh",
        "failure_rate",
        {"window": 15 * MINUTE, "above": 0.1},
        annotations={
            "summary": "{{ task }} fails with {{ top_error }}",
            "description": HOSTILE,
            "runbook": "https://wiki.example/<!channel>|{{ task }}",
            "note": "{{ top_error | truncate:100 }}",
        },
    )
    evidence = Evidence(
        (ErrorCount(HOSTILE, HOSTILE, 3), ErrorCount("```", "`````", 2)),
        (RunLink("run_<!here>|x", "javascript:alert(1)"), RunLink("run_2|>", "https://x.example/a|b>c<d e")),
        HOSTILE,
        (HOSTILE,),
    )
    yield (
        "hostile",
        notification(
            NoticeKind.FIRING,
            Why.FIRST,
            notice(wild, alert(wild, "<!here> &amp; *`x`*", owner="<@U012AB3CD>"), evidence=evidence),
            group_labels=(("alertname", "TaskFailureRateHigh"), ("task", "<!here> &amp; *`x`*")),
        ),
    )


SAMPLES = dict(_samples())


def goldens() -> dict[str, str]:
    """Name of the file → what stands in it."""
    found = {f"{name}.txt": full(sample) for name, sample in SAMPLES.items()}
    for name, sample in SAMPLES.items():
        found[f"{name}.slack.json"] = json.dumps(json.loads(payload(sample)), indent=1) + "\n"
    return found


def _write() -> None:
    for name, text in goldens().items():
        (GOLDEN / name).write_text(text, "utf-8")


if __name__ == "__main__":
    _write()
