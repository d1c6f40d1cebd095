"""Numbers, durations, instants as people read them at night: ``42%``, ``1 h 20 min``, ``$50.00``. Pure; never raises.

What a person has to write again (``15m`` in a rule) is `documents.units`'; this is for reading only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from triggerdev_alerts.conditions.keys import Kind, Value
from triggerdev_alerts.documents.units import format_duration
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_alerts.signals import Unit

_PARTS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
_LATEST = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that knows what it counts (`signals.Unit`)."""

    number: float
    unit: str

    def __str__(self) -> str:
        return show(self.number, self.unit)


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, Unix milliseconds."""

    at: Instant

    def __str__(self) -> str:
        return show_instant(self.at)


def show(value: float, unit: str) -> str:
    """`value` with its unit; a duration is milliseconds, a fraction 0 to 1. An unknown unit counts."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    match unit:
        case Unit.FRACTION:
            return show_percent(value)
        case Unit.MILLIS:
            return show_duration(value)
        case Unit.USD:
            return show_money(value)
        case Unit.FLAG:
            return "yes" if value else "no"
    return show_number(value)


def show_pair(value: float, threshold: float, unit: str) -> tuple[str, str]:
    """Both, and never the same text for two numbers that differ: ``10.04%`` against ``10%``, not ``10%`` twice."""
    shown = show(value, unit), show(threshold, unit)
    if shown[0] != shown[1] or value == threshold or not (math.isfinite(value) and math.isfinite(threshold)):
        return shown
    match unit:
        case Unit.FRACTION:
            return f"{value * 100:.6g}%", f"{threshold * 100:.6g}%"
        case Unit.MILLIS:
            return format_duration(round(max(value, 0))), format_duration(round(max(threshold, 0)))
        case Unit.USD:
            return f"${value:.8g}", f"${threshold:.8g}"
        case Unit.FLAG:
            return shown
    return f"{value:.10g}", f"{threshold:.10g}"


def show_number(value: float) -> str:
    """``57``, ``12,345``, ``2.5``."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.2g}"


def show_percent(fraction: float) -> str:
    """``42%``, ``12.5%``, ``0.05%``."""
    percent = fraction * 100
    digits = 1 if abs(percent) >= 1 else 2
    text = f"{percent:,.{digits}f}"
    if float(text.replace(",", "")) == 0 and percent:
        return f"{percent:.1g}%"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def show_duration(millis: float) -> str:
    """The two largest parts: ``350 ms``, ``45 s``, ``3 min``, ``1 h 20 min``, ``2 d 3 h``."""
    if not math.isfinite(millis):
        return show(millis, Unit.COUNT)
    if millis < 0:
        return f"-{show_duration(-millis)}"
    if round(millis) < SECOND:
        return f"{round(millis)} ms"
    rest = round(millis)
    for index, (size, name) in enumerate(_PARTS):
        if rest >= size:
            count, rest = divmod(rest, size)
            smaller = rest // _PARTS[index + 1][0] if index + 1 < len(_PARTS) else 0
            return f"{count:,} {name}" + (f" {smaller} {_PARTS[index + 1][1]}" if smaller else "")
    return f"{rest} ms"


def show_money(dollars: float) -> str:
    """``$50.00``; ``$0.0042`` below a cent."""
    sign = "-" if dollars < 0 else ""
    dollars = abs(dollars)
    if 0 < dollars < 0.01:
        return f"{sign}${dollars:.2g}" if dollars >= 0.0001 else f"{sign}less than $0.0001"
    return f"{sign}${dollars:,.2f}"


def show_instant(at: Instant, zone: tzinfo = UTC) -> str:
    """``2026-11-24 12:02 UTC``: to the minute, always with its zone."""
    moment = datetime.fromtimestamp(min(max(at, 0), _LATEST) // 1000, zone)
    return f"{moment:%Y-%m-%d %H:%M} {moment:%Z}"


def show_key(kind: Kind, value: Value) -> str:
    """The value of a condition's key, as it stands in a rule: ``15m``, ``p95``, ``EXECUTING or WAITING``."""
    match kind, value:
        case _, None:
            return ""
        case _, tuple():
            return " or ".join(value)
        case _, bool():
            return "yes" if value else "no"
        case Kind.DURATION, int() | float():
            return format_duration(max(int(value), 0))
        case Kind.PERCENT, int() | float():
            return show_percent(value)
        case Kind.PERCENT_OR_COUNT, float():
            return show_percent(value)
        case Kind.MONEY, int() | float():
            return show_money(value)
        case Kind.QUANTILE, int() | float():
            return f"p{value * 100:g}"
        case _, int() | float():
            return show_number(value)
    return str(value)
