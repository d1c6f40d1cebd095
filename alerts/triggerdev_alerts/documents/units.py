"""Quantities as people write them: ``30s``, ``1h30m``, ``10%``, ``50 USD``, ``3x``, ``p95``. Text to number and back.

A unit is always written: a bare ``30`` has been read as minutes, seconds and milliseconds before.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeGuard

from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND

_UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
# Largest unit first, each once: 1h30m, never 30m1h or 1m1m.
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,12}}){unit})?" for unit in _UNITS), re.ASCII)
MONEY_PATTERN = r"^([0-9]{1,12}(?:\.[0-9]{1,6})?) ?USD$"
TIMES_PATTERN = r"^([0-9]{1,6}(?:\.[0-9]{1,6})?)x$"
QUANTILE_PATTERN = r"^p([0-9]{1,2}(?:\.[0-9]{1,4})?)$"
_MONEY = re.compile(MONEY_PATTERN, re.ASCII)
_TIMES = re.compile(TIMES_PATTERN, re.ASCII)
_QUANTILE = re.compile(QUANTILE_PATTERN, re.ASCII)
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


def parse_share(value: object) -> float:
    """The fraction that ``10%`` or ``0.1`` is; a bare number above 1 has been meant as a percentage before."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
        return float(Decimal(match[1]) / 100)
    if _is_number(value) and 0 <= value <= 1:
        return float(value)
    if _is_number(value) and 1 < value <= 100:
        shown = f"{value:g}"
        text = f'a rate needs a percent or a fraction: "{shown}%" or {value / 100:g} ({shown} would mean {shown}00%)'
        raise Unfit("unit", text if value == int(value) else text.split(" (")[0])
    raise Unfit("unit", f'a rate needs a percent or a fraction: "10%" or 0.1, not {found(value)}')


def parse_money(value: object) -> float:
    """Dollars of ``50 USD``."""
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        number = re.search(r"[0-9]+(?:\.[0-9]+)?", str(value)) if not isinstance(value, bool) else None
        like = f'write "{number[0][:12]} USD"' if number else 'write it like "50 USD"'
        raise Unfit("unit", f"{found(value)} is not an amount of money; {like}")
    return float(match[1])


def format_money(dollars: float) -> str:
    """Text that `parse_money` reads as `dollars`, to six digits after the point."""
    return f"{Decimal(repr(dollars)).quantize(Decimal('0.000001')).normalize():f} USD"


def parse_times(value: object) -> float:
    """How many times: ``3x``, ``1.5x`` or ``3``."""
    if isinstance(value, str) and (match := _TIMES.fullmatch(value)):
        return float(match[1])
    if _is_number(value) and 0 <= value < 1_000_000:
        return float(value)
    raise Unfit("unit", f'{found(value)} is not how many times; write it like "3x"')


def format_times(times: float) -> str:
    """Text that `parse_times` reads as `times`, to six digits after the point."""
    return f"{Decimal(repr(times)).quantize(Decimal('0.000001')).normalize():f}x"


def parse_quantile(value: object) -> float:
    """``p95`` or ``0.95`` → 0.95."""
    if isinstance(value, str) and (match := _QUANTILE.fullmatch(value)):
        return float(Decimal(match[1]) / 100)
    if isinstance(value, float) and 0 < value < 1:
        return value
    raise Unfit("unit", f'{found(value)} is not a percentile; write it like "p95" or 0.95')


def format_quantile(quantile: float) -> str:
    """Text that `parse_quantile` reads as `quantile`, to four digits after the point of a percentage."""
    return f"p{(Decimal(repr(quantile)) * 100).quantize(Decimal('0.0001')).normalize():f}"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
