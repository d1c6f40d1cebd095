"""Quantities as people write them: ``30s``, ``1h30m``, ``10%``. Text to number and back, and nothing else.

A unit is always written: a bare ``30`` has been read as minutes, seconds and milliseconds before.
"""

from __future__ import annotations

import re
from decimal import Decimal

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND

_UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
# Largest unit first, each once: 1h30m, never 30m1h or 1m1m.
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,12}}){unit})?" for unit in _UNITS), re.ASCII)
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)%", re.ASCII)


def parse_duration(value: object) -> int:
    """Milliseconds of ``30s``, ``5m``, ``1h30m``, ``250ms``, ``7d``, ``1w``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not value or match is None:
        raise Unfit("duration", f"{found(value)} is not a duration; write {_likely_duration(value)}")
    return sum(int(count) * _UNITS[unit] for unit, count in match.groupdict().items() if count is not None)


def _likely_duration(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f'"{value}s" for seconds, "{value}m" for minutes'
    squeezed = re.sub(r"\s+|(?<=[a-z])(?:in(?:ute)?s?|ec(?:ond)?s?|ours?|ays?|eeks?)\b", "", str(value).lower())
    if squeezed and _DURATION.fullmatch(squeezed):
        return f'"{squeezed}"'
    return 'it like "30s", "5m" or "1h30m"'


def format_duration(millis: int) -> str:
    """Text that `parse_duration` reads as `millis`. No weeks: 30d says more than 4w2d."""
    if millis < 0:
        raise ValueError("a duration is not negative")
    parts = []
    rest = millis
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size) if unit != "w" else (0, rest)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_percent(value: object) -> float:
    """The fraction that ``10%`` is: 0.1. What range makes sense is the caller's to say."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unfit("percent", f"{found(value)} is not a percentage; write {_likely_percent(value)}")
    return float(Decimal(match[1]) / 100)


def _likely_percent(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100:
        if value < 1:
            return f'"{format_percent(float(value))}"'
        return f'"{value:g}%"'
    return 'it like "10%"'


def format_percent(fraction: float) -> str:
    """The text that `parse_percent` reads as `fraction`, to six digits after the point."""
    percent = (Decimal(repr(fraction)) * 100).quantize(Decimal("0.000001")).normalize()
    return f"{percent:f}%"
