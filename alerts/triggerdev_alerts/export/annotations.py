"""Our templates in the language of Prometheus' (Go's). Pure.

What is known when the rules are written (name, severity, window, threshold) becomes text; dimensions become labels; the
value is what the expression gives. A text that needs more than that cannot be told there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.message.filters import FILTERS, Argument
from triggerdev_alerts.message.template import own_label, parts
from triggerdev_alerts.message.values import Quantity
from triggerdev_alerts.rules import quantities
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import Unit

NAMES = {"runbook": "runbook_url", "dashboard": "dashboard_url"}
"""What is called otherwise there."""

_TOO_MUCH = frozenset({"time"})
_TEXT = {
    "urlencode": "urlquery",
    "upper": "toUpper",
    "lower": "toLower",
}
_SHOWN = {
    Unit.COUNT: 'printf "%.0f" $value',
    Unit.FRACTION: "$value | humanizePercentage",
    # Durations are seconds in our families, which is what Prometheus wants.
    Unit.MILLIS: "$value | humanizeDuration",
    Unit.USD: 'printf "$%.2f" $value',
}
_UNITS = {"number": Unit.COUNT, "percent": Unit.FRACTION, "duration": Unit.MILLIS, "money": Unit.USD}


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert there can tell."""

    labels: Collection[str]
    """Labels that differ from series to series."""
    value: bool
    """Whether the expression's value is the one that we would tell."""


def described(rule: Rule) -> str:
    """The condition as it was written: ``failure_rate, window 15m, above 10%``."""
    row = CONDITIONS[rule.when.type]
    values = ((key, rule.when.values[key.name]) for key in row.keys)
    said = [f"{key.name} {_spoken(quantities.show(key, value))}" for key, value in values if value != key.default]
    return ", ".join([rule.when.type, *said])


def _spoken(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def annotated(rule: Rule, told: Told) -> tuple[dict[str, str], list[str]]:
    """The annotations there, and the names of those that could not be told (a summary is made up instead)."""
    constants = _constants(rule)
    found: dict[str, str] = {}
    lost: list[str] = []
    for name, text in rule.annotations.items():
        translated = _translated(rule, text, told, constants)
        if translated is None:
            lost.append(name)
        else:
            found[NAMES.get(name, name)] = translated
    if "summary" not in found:
        named = [f"{{{{ $labels.{name} }}}}" for name in (*reversed(rule.when.by), "target") if name in told.labels]
        about = f"{rule.name}: {', '.join(named)}" if named else rule.name
        found = {"summary": f"{about} ({literal(described(rule))})", **found}
    return found, lost


def literal(text: str) -> str:
    """Text that a template shows as it is."""
    return text.replace("{{", '{{ "{{" }}')


def _constants(rule: Rule) -> Mapping[str, object]:
    row = CONDITIONS[rule.when.type]
    keys = {key.name: key for key in row.keys}
    limit = next((name for name in ("above", "failed_items_above", "below", "older_than") if name in keys), None)
    found: dict[str, object] = {
        "alertname": rule.name,
        "severity": rule.severity,
        "group": rule.group,
        "status": "firing",
        **{f"labels.{name}": value for name, value in rule.labels.items()},
    }
    if "owner" in rule.labels:
        found["owner"] = rule.labels["owner"]
    if "window" in keys:
        found["window"] = quantities.show(keys["window"], rule.when.values["window"])
    if limit is not None and rule.when.values[limit] is not None and "above_scheduled" not in keys:
        unit = Unit.COUNT if isinstance(rule.when.values[limit], int) and row.unit is Unit.FRACTION else row.unit
        found["threshold"] = Quantity(rule.when.number(limit), unit)
    return found


def _translated(rule: Rule, text: str, told: Told, constants: Mapping[str, object]) -> str | None:
    pieces = parts(text)
    if pieces is None:
        return literal(text)
    found = []
    for piece in pieces:
        said = literal(piece) if isinstance(piece, str) else _field(rule, *piece, told, constants)
        if said is None:
            return None
        found.append(said)
    return "".join(found)


def _field(
    rule: Rule,
    name: str,
    steps: tuple[tuple[str, Argument], ...],
    told: Told,
    constants: Mapping[str, object],
) -> str | None:
    own = own_label(name)
    name = name if own is None else f"labels.{own}"
    if name in told.labels:
        return _label(name, steps)
    if name in constants:
        value = constants[name]
        for step, argument in steps:
            value = FILTERS[step].apply(value, argument)
        return literal(str(value))
    if name == "value" and told.value:
        return _value(CONDITIONS[rule.when.type].unit, steps)
    return None


def _label(name: str, steps: tuple[tuple[str, Argument], ...]) -> str | None:
    said = f"$labels.{name}"
    for step, argument in steps:
        if step in _TEXT:
            said += f" | {_TEXT[step]}"
        elif step == "truncate":
            said += f' | printf "%.{argument}s"'
        elif step == "default":
            said = f"or ({said}) {_string(str(argument))}"
        elif step in _TOO_MUCH:
            return None
        # What makes numbers readable leaves text as it is.
    return f"{{{{ {said} }}}}"


def _value(unit: Unit, steps: tuple[tuple[str, Argument], ...]) -> str | None:
    if unit is Unit.FLAG and not steps:
        return "yes"
    if len(steps) > 1 or (steps and steps[0][0] not in _UNITS):
        return None
    shown = _UNITS[steps[0][0]] if steps else unit
    # Ours is milliseconds where theirs is seconds: only as a duration they say the same.
    if (shown is Unit.MILLIS) != (unit is Unit.MILLIS) or shown not in _SHOWN:
        return None
    return f"{{{{ {_SHOWN[shown]} }}}}"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
