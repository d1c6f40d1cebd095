"""How each kind of a condition's key is read, written back and described: a row a `Kind`. No key is known here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from triggerdev_alerts.conditions.keys import Key, Kind, Value
from triggerdev_alerts.documents import units
from triggerdev_alerts.documents.mistakes import Unfit, found
from triggerdev_alerts.documents.model import DURATION_PATTERN, PERCENT_PATTERN, OneOf, one_or_more
from triggerdev_alerts.instants import DAY, MINUTE
from triggerdev_alerts.signals import CELL, LONG_CELL, LONG_WINDOW

_LONGEST = 366 * DAY
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Quantity:
    """A row."""

    parse: Callable[[object], Any]
    show: Callable[[Any], Value]
    """What `parse` reads as the value, ready for YAML or JSON."""
    schema: dict[str, Any]
    least: float | None = None
    most: float | None = None
    """Bounds where the key names none."""


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    quoted = isinstance(value, str) and value.isdecimal()
    remedy = f"write {value} without quotes" if quoted else "write a whole number without a unit"
    raise Unfit("unit", f"{found(value)} is not a number of things; {remedy}")


def _share_or_count(value: object) -> int | float:
    if isinstance(value, str) and not value.endswith("%"):
        raise Unfit("unit", f'{found(value)} is neither a share nor a number; write it like "5%" or 5')
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return units.parse_share(value)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit("type", f"{found(value)} is neither true nor false")


def _as_is(value: Any) -> Value:
    return cast("Value", value)


_SHARE = {"type": "string", "pattern": PERCENT_PATTERN}
_COUNT = {"type": "integer", "minimum": 0}

QUANTITIES: dict[Kind, Quantity] = {
    Kind.DURATION: Quantity(
        units.parse_duration, units.format_duration, {"type": "string", "pattern": DURATION_PATTERN}, 0, _LONGEST
    ),
    Kind.PERCENT: Quantity(
        units.parse_share,
        units.format_percent,
        {"anyOf": [_SHARE, {"type": "number", "minimum": 0, "maximum": 1}]},
        0,
        1,
    ),
    Kind.COUNT: Quantity(_count, _as_is, _COUNT, 0, _MOST),
    Kind.PERCENT_OR_COUNT: Quantity(
        _share_or_count,
        lambda value: units.format_percent(value) if isinstance(value, float) else value,
        {"anyOf": [_SHARE, _COUNT, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]},
        0,
        _MOST,
    ),
    Kind.TIMES: Quantity(
        units.parse_times,
        units.format_times,
        {"anyOf": [{"type": "string", "pattern": units.TIMES_PATTERN}, {"type": "number", "minimum": 0}]},
        0,
        1_000,
    ),
    Kind.MONEY: Quantity(
        units.parse_money, units.format_money, {"type": "string", "pattern": units.MONEY_PATTERN}, 0, _MOST
    ),
    Kind.QUANTILE: Quantity(
        units.parse_quantile,
        units.format_quantile,
        {
            "anyOf": [
                {"type": "string", "pattern": units.QUANTILE_PATTERN},
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            ]
        },
        0.0001,
        0.9999,
    ),
    Kind.FLAG: Quantity(_flag, _as_is, {"type": "boolean"}),
}


def parse(key: Key, value: object) -> Value:
    """The value of `key` as a person wrote it. Raises `Unfit`, with the first that is wrong in a list."""
    if key.kind is Kind.WORD:
        return cast("str", OneOf(f"a {key.name}", key.choices).check(value))
    if key.kind is Kind.STATUSES:
        return tuple(cast("str", status(key).check(word)) for word in listed_statuses(key, value))
    row = QUANTITIES[key.kind]
    read = row.parse(value)
    least, most = _bounds(key)
    if least is not None and most is not None and not least <= read <= most:
        between = f"between {_text(row, least)} and {_text(row, most)}"
        raise Unfit("range", f"{_text(row, read)} is out of range; {between} is possible")
    if key.kind is Kind.PERCENT_OR_COUNT and isinstance(read, float) and read > 1:
        raise Unfit("range", f"{found(value)} is out of range; a share is between 0% and 100%")
    if key.name == "window":
        _check_window(read)
    return cast("Value", read)


def status(key: Key) -> OneOf:
    """One word of a list of statuses."""
    return OneOf("a status", key.choices)


def listed_statuses(key: Key, value: object) -> tuple[object, ...]:
    """One word or a list of them, which are none of them looked at yet. Raises `Unfit`."""
    words = one_or_more(value)
    if not isinstance(words, tuple | list) or not words:
        raise Unfit("type", f'"{key.name}" wants a status or a list of them; possible are {", ".join(key.choices)}')
    twice = next((one for one in words if words.count(one) > 1), None)
    if twice is not None:
        raise Unfit("duplicate", f'"{twice}" is there twice; keep one of them')
    return tuple(words)


def _check_window(window: int) -> None:
    """Windows are made of whole cells; another one could not be counted exactly."""
    cell = CELL if window <= LONG_WINDOW else LONG_CELL
    if window % cell:
        beyond = " above 1h" if cell == MINUTE else ""
        near = units.format_duration(-(-window // cell) * cell)
        text = f"a window{beyond} is a multiple of {units.format_duration(cell)}; write {near}"
        raise Unfit("window", text)


def _bounds(key: Key) -> tuple[float | None, float | None]:
    row = QUANTITIES[key.kind]
    return (row.least if key.least is None else key.least), (row.most if key.most is None else key.most)


def _text(row: Quantity, value: float) -> str:
    # Bounds are written as numbers; a count of 1.0 is 1.
    shown = row.show(int(value) if isinstance(value, float) and value == int(value) and row.parse is _count else value)
    return str(shown)


def show(key: Key, value: Value) -> Value:
    """What a person would write for `value`."""
    if value is None or key.kind in (Kind.WORD, Kind.STATUSES):
        return value
    return QUANTITIES[key.kind].show(value)


def schema(key: Key) -> dict[str, Any]:
    """The JSON Schema of what a person may write."""
    if key.kind is Kind.WORD:
        return {"enum": list(key.choices)}
    if key.kind is Kind.STATUSES:
        status = {"enum": list(key.choices)}
        return {"anyOf": [status, {"type": "array", "items": status, "minItems": 1, "uniqueItems": True}]}
    least, most = _bounds(key)
    limits = {"minimum": _whole(least), "maximum": _whole(most)}
    described = QUANTITIES[key.kind].schema
    if key.kind is Kind.COUNT:
        return described | limits
    if key.kind in (Kind.TIMES, Kind.QUANTILE):
        text, number = described["anyOf"]
        return {"anyOf": [text, number | limits]}
    return dict(described)


def _whole(bound: float | None) -> float | None:
    return int(bound) if bound is not None and bound == int(bound) else bound


def example(key: Key) -> Value:
    """A value that a person could write."""
    if key.example:
        return int(key.example) if key.kind is Kind.COUNT else key.example
    if isinstance(key.default, str | int | float | tuple):
        return show(key, key.default)
    return "3x" if key.kind is Kind.TIMES else None
