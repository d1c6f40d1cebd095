"""Alerts and notifications as receivers get them, for the tests of receivers."""

from __future__ import annotations

import hashlib
from typing import Any

from triggerdev_alerts.notification import AlertNotice, NoticeKind, Notification, Why
from triggerdev_alerts.signals import ErrorCount, Evidence, RunLink

NOW = 1_760_000_000_000


def notice(name: str = "send-email", status: str = "firing", **changes: Any) -> AlertNotice:
    """An alert about the task `name`, with evidence."""
    base: dict[str, Any] = {
        "fingerprint": hashlib.sha256(name.encode()).hexdigest()[:16],
        "status": status,
        "labels": (("alertname", "TaskFailureRateHigh"), ("severity", "critical"), ("target", "prod"), ("task", name)),
        "annotations": (("summary", f"{name} is failing"),),
        "starts_at": NOW - 60_000,
        "ends_at": NOW if status == "resolved" else None,
        "value": 0.42,
        "threshold": 0.1,
        "sample": 57,
        "unit": "fraction",
        "reason": "condition_met" if status == "firing" else "condition_cleared",
        "says": "42% of 57 runs failed in 15m (above 10%)",
        "evidence": Evidence(
            errors=(ErrorCount("SmtpError", "550 mailbox full", 3),),
            runs=(RunLink("run_1", "https://cloud.example/run_1", "FAILED"),),
            since_version="20261123.4",
        ),
    }
    return AlertNotice(**{**base, **changes})


def told(*alerts: AlertNotice, **changes: Any) -> Notification:
    """A first firing message about `alerts`, or about one."""
    base: dict[str, Any] = {
        "id": "msg_1",
        "receiver": "hook.eu",
        "group_key": "0:alertname=TaskFailureRateHigh",
        "group_labels": (("alertname", "TaskFailureRateHigh"),),
        "seq": 1,
        "kind": NoticeKind.FIRING,
        "why": Why.FIRST,
        "at": NOW,
        "alerts": alerts or (notice(),),
    }
    return Notification(**{**base, **changes})
