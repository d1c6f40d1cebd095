"""Thresholds of the shipped rules, so that a panel turns red when the alert fires. Read from the rules, not written."""

from __future__ import annotations

from functools import cache

from triggerdev_alerts.rules.files import shipped_rules
from triggerdev_alerts.rules.load import read_rules
from triggerdev_alerts.rules.model import Rule

_DURATIONS = frozenset({"older_than"})


@cache
def _rules() -> dict[str, Rule]:
    ruleset = read_rules(shipped_rules()).ruleset
    return {rule.name: rule for group in ruleset.groups for rule in group.rules}


def limit(rule: str, key: str = "above") -> float:
    """The threshold of a shipped rule in the unit of our metrics: seconds, shares, counts."""
    found = _rules()[rule]
    value = found.when.number(key)
    is_duration = key in _DURATIONS or found.when.type in ("queue_age", "view_lag", "clock_skew")
    return value / 1000 if is_duration else value


def patience(rule: str) -> float:
    """How long a shipped rule waits before it fires, in seconds."""
    return _rules()[rule].for_ / 1000
