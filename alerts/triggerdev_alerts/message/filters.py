"""The filters of templates, as rows: ``{{ value | percent }}``. Pure; what they cannot use passes as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote
from zoneinfo import ZoneInfo

from triggerdev_alerts.message.values import (
    Moment,
    Quantity,
    show_duration,
    show_instant,
    show_money,
    show_number,
    show_percent,
)

Argument = str | int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `change` gets the value and the argument."""

    name: str
    help: str
    change: Callable[[object, Argument], object]
    takes: type | None = None
    """``str`` or ``int`` if it takes an argument."""
    needs: bool = False
    """Whether the argument must be given."""
    check: Callable[[Argument], str | None] = lambda _: None
    """What is wrong with an argument of the right type."""

    def problem(self, argument: Argument) -> str | None:
        """What is wrong with that argument, as what follows the filter's name; ``None``: nothing."""
        if argument is None:
            return f"needs an argument: {self._example()}" if self.needs else None
        if self.takes is None:
            return "takes no argument"
        if not isinstance(argument, self.takes):
            return f"takes it like this: {self._example()}"
        return self.check(argument)

    def apply(self, value: object, argument: Argument) -> object:
        """`value` changed; as it is if it does not fit. Never raises."""
        try:
            return self.change(value, argument)
        except (ValueError, OverflowError, ArithmeticError, OSError):
            return value

    def _example(self) -> str:
        return f'{self.name}:"…"' if self.takes is str else f"{self.name}:80"


def _number(value: object) -> float:
    """The number in a value. Raises `ValueError` where there is none."""
    match value:
        case Quantity():
            return value.number
        case Moment():
            return value.at
        case bool() | None:
            raise ValueError(value)
        case int() | float() | str():
            return float(value)
    raise ValueError(value)


def _empty(value: object) -> bool:
    return value is None or value == ""


def _over_text(change: Callable[[str], str]) -> Callable[[object, Argument], object]:
    return lambda value, _: value if _empty(value) else change(str(value))


def _over_number(change: Callable[[float], str]) -> Callable[[object, Argument], object]:
    return lambda value, _: value if _empty(value) else change(_number(value))


def _url_part(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _default(value: object, argument: Argument) -> object:
    return argument if _empty(value) else value


def _truncated(value: object, argument: Argument) -> object:
    text, most = "" if value is None else str(value), int(argument or 0)
    return text if len(text) <= most else text[: max(most - 1, 0)].rstrip() + "…"


def _time(value: object, argument: Argument) -> object:
    if _empty(value):
        return value
    zone = ZoneInfo(str(argument)) if argument else ZoneInfo("UTC")
    return show_instant(int(_number(value)), zone)


def _zone_problem(argument: Argument) -> str | None:
    try:
        ZoneInfo(str(argument))
    except (ValueError, OSError, KeyError):
        return f'knows no time zone "{str(argument)[:40]}"'
    return None


def _length_problem(argument: Argument) -> str | None:
    return None if isinstance(argument, int) and argument >= 1 else "keeps at least 1 character"


FILTERS: dict[str, Filter] = {
    row.name: row
    for row in (
        Filter("percent", "a fraction as 42%", _over_number(show_percent)),
        Filter("duration", "milliseconds as 1 h 20 min", _over_number(show_duration)),
        Filter("number", "12,345", _over_number(show_number)),
        Filter("money", "dollars as $50.00", _over_number(show_money)),
        Filter("time", "an instant, in a time zone if one is given", _time, str, check=_zone_problem),
        Filter("upper", "in capitals", _over_text(str.upper)),
        Filter("lower", "in small letters", _over_text(str.lower)),
        Filter("urlencode", "fit to be a part of a URL", _over_text(_url_part)),
        Filter("default", "something else where there is nothing", _default, str, needs=True),
        Filter("truncate", "cut to so many characters", _truncated, int, needs=True, check=_length_problem),
    )
}
