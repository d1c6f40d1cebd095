"""Where an alert there leads: its runbook, the dashboard that shows it, and the page that says what holds now. Pure.

Links are paths unless somebody says where Grafana, the exporter and the runbooks are: Alertmanager's templates can put
an address before them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from triggerdev_alerts.rules.model import Rule

BOARDS: Mapping[str, str] = {
    # Condition → the dashboard, where no label decides. A task or a queue has its own.
    "failure_rate": "overview",
    "failure_count": "overview",
    "consecutive_failures": "task",
    "no_success": "task",
    "no_runs": "task",
    "queue_depth": "queues",
    "queue_age": "queues",
    "queue_stalled": "queues",
    "queue_saturated": "queues",
    "queue_paused": "queues",
    "stuck_runs": "task",
    "slow_runs": "task",
    "duration": "task",
    "wait": "queues",
    "expired_runs": "queues",
    "trigger_spike": "overview",
    "batch_failures": "batches",
    "batch_stuck": "batches",
    "missed_schedule": "batches",
    "all_schedules_missed": "batches",
    "deployment_failed": "deployments",
    "deployment_stuck": "deployments",
    "waitpoint_stale": "batches",
    "cost": "cost",
    "view_lag": "exporter",
    "source_down": "exporter",
    "quota_low": "exporter",
    "clock_skew": "exporter",
    "notifier_failing": "alerts",
    "outbox_stalled": "alerts",
    "rule_failing": "alerts",
    "rule_never_matched": "alerts",
}
_WITH_TASK = frozenset({"task", "cost"})
"""Dashboards where a task can be chosen; "queues" is where a queue can."""


@dataclass(frozen=True, slots=True)
class Places:
    """What links begin with; empty: they are paths."""

    runbooks: str = ""
    """Before the path of a runbook, as the rule has it."""
    grafana: str = ""
    status: str = ""
    """The exporter itself."""


def linked(rule: Rule, texts: Mapping[str, str], labels: Collection[str], places: Places) -> dict[str, str]:
    """The annotations with their links. What the rule says itself stays, with an address before it if it is a path."""
    found = {"dashboard_url": _board(rule, labels), **texts, "status_url": _status(labels)}
    for name, place in (
        ("runbook_url", places.runbooks),
        ("dashboard_url", places.grafana),
        ("status_url", places.status),
    ):
        if place and name in found and "://" not in found[name]:
            found[name] = f"{place.rstrip('/')}/{found[name].lstrip('/')}"
    order = [*texts, *(name for name in found if name not in texts)]
    return {name: found[name] for name in order}


def _board(rule: Rule, labels: Collection[str]) -> str:
    board = BOARDS[rule.when.type]
    if "task" in labels and board == "overview":
        board = "task"
    chosen = [name for name in ("target", *_choices(board)) if name in labels]
    query = "&".join(f"var-{name}={_escaped(name)}" for name in chosen)
    return f"/d/triggerdev-{board}?{query}" if query else f"/d/triggerdev-{board}"


def _choices(board: str) -> tuple[str, ...]:
    return ("task",) if board in _WITH_TASK else ("queue",) if board == "queues" else ()


def _status(labels: Collection[str]) -> str:
    return f"/tasks/{_escaped('task')}" if "task" in labels else "/alerts"


def _escaped(label: str) -> str:
    return f"{{{{ $labels.{label} | urlquery }}}}"
