"""``rules show``: a line a rule."""

from __future__ import annotations

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.rules.model import Rule, RuleSet
from triggerdev_exporter.commands.columns import columns


def listed(ruleset: RuleSet) -> str:
    """Name, severity, condition and where each rule stands, in columns."""
    rows = [("alert", "severity", "when", "for", "where")]
    rows += [_row(rule) for rule in ruleset.rules]
    return "\n".join(columns(rows))


def _row(rule: Rule) -> tuple[str, str, str, str, str]:
    row = CONDITIONS[rule.when.type]
    values = ((key, rule.when.values[key.name]) for key in row.keys)
    said = [f"{key.name} {_shown(quantities.show(key, value))}" for key, value in values if value != key.default]
    origin = "shipped" if rule.shipped else f"{rule.place.file}:{rule.place.line}"
    condition = ", ".join([rule.when.type, *said])
    return rule.name, rule.severity if rule.enabled else "off", condition, format_duration(rule.for_), origin


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
