"""Parts of the week as people write them: ``22:00-06:00``, ``mon-fri``, ``-3:-1``, a time zone. Text to numbers.

Whether an instant lies in one is not decided here.
"""

from __future__ import annotations

import re
from functools import cache
from zoneinfo import available_timezones

from triggerdev_alerts.documents.mistakes import Unfit, found, suggestion

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_NAMES = "january february march april may june july august september october november december".split()
Span = tuple[int, int]
_TIMES = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-4]):([0-5][0-9])", re.ASCII)
_DAY_OF_MONTH = re.compile(r"(-?[0-9]{1,2})(?::(-?[0-9]{1,2}))?", re.ASCII)
_YEARS = re.compile(r"([0-9]{4})(?:[:-]([0-9]{4}))?", re.ASCII)
_MIDNIGHT = 24 * 60


def parse_times(value: object) -> Span:
    """Minutes of the day of ``22:00-06:00``; to < from goes past midnight."""
    match = _TIMES.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Unfit("time", f'{found(value)} is not a range of times; write times as quoted "HH:MM-HH:MM"')
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start >= _MIDNIGHT or end > _MIDNIGHT:
        raise Unfit("time", f"{found(value)} is beyond the day; 24:00 is its end")
    if start == end:
        raise Unfit("time", f'{found(value)} is no time at all; a whole day is "00:00-24:00"')
    return start, end


def format_times(span: Span) -> str:
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in span)


def parse_weekdays(value: object) -> tuple[int, ...]:
    """Days of ``mon``, ``monday``, ``mon-fri`` or ``sat:sun``; 0 is Monday."""
    return _named(value, DAY_NAMES, "a day of the week", 'write it like "mon" or "mon-fri"')


def parse_months(value: object) -> tuple[int, ...]:
    """Months of ``12``, ``dec``, ``december`` or ``jun-aug``; 1 is January."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= 12:
            raise Unfit("time", f"{value} is not a month; 1 to 12 are")
        return (value,)
    return tuple(n + 1 for n in _named(value, MONTH_NAMES, "a month", 'write it like 12, "dec" or "jun-aug"'))


def _named(value: object, names: tuple[str, ...] | list[str], kind: str, remedy: str) -> tuple[int, ...]:
    if not isinstance(value, str):
        raise Unfit("time", f"{found(value)} is not {kind}; {remedy}")
    ends = [_index(word.strip(), names) for word in re.split(r"[-:]", value)]
    if len(ends) > 2 or None in ends:
        near = suggestion(value, names)
        raise Unfit("time", f"{found(value)} is not {kind}{near or '; ' + remedy}")
    first, last = ends[0] or 0, ends[-1] or 0
    if first <= last:
        return tuple(range(first, last + 1))
    return (*range(first, len(names)), *range(last + 1))  # around the end: fri-mon


def _index(word: str, names: tuple[str, ...] | list[str]) -> int | None:
    word = word.lower()
    return next((n for n, name in enumerate(names) if len(word) >= 3 and (word == name or word == name[:3])), None)


def parse_days_of_month(value: object) -> Span:
    """First and last day of ``1``, ``"1:7"``, ``-1`` or ``"-3:-1"``; negative ones count from the end."""
    match = _DAY_OF_MONTH.fullmatch(str(value)) if isinstance(value, str | int) and value is not True else None
    first = int(match[1]) if match else 0
    last = int(match[2] or match[1]) if match else 0
    if not (1 <= abs(first) <= 31 and 1 <= abs(last) <= 31):
        raise Unfit("time", f'{found(value)} is no day of a month; write it like 1, "1:7", or -1 for the last')
    if (first > 0) == (last > 0) and first > last:
        raise Unfit("time", f'{found(value)} ends before it begins; write "{last}:{first}"')
    return first, last


def parse_years(value: object) -> Span:
    """First and last year of ``2026`` or ``"2026:2028"``."""
    match = _YEARS.fullmatch(str(value)) if isinstance(value, str | int) else None
    if match is None:
        raise Unfit("time", f'{found(value)} is not a year; write it like 2026 or "2026:2028"')
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise Unfit("time", f'{found(value)} ends before it begins; write "{last}:{first}"')
    return first, last


def format_span(span: Span) -> str:
    """What `parse_days_of_month` and `parse_years` read as `span`."""
    return f"{span[0]}:{span[1]}"


def check_location(name: str) -> str:
    """The name of a time zone that exists."""
    if name not in _zones():
        near = suggestion(name, _zones())
        raise Unfit("time", f"{found(name)} is not a time zone{near or '; write it like Europe/Berlin'}")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
