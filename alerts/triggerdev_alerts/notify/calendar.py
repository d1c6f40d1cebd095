"""Time intervals: is an instant inside? Wall time is looked up, never calculated with.

An instant in UTC has exactly one wall time in a zone, so the question "is it inside" has an answer also on the nights
in which an hour is missing or comes twice. A range over midnight belongs to the day on which it began.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from triggerdev_alerts.instants import Instant
from triggerdev_alerts.rules.model import TimeRange


def is_inside(ranges: Sequence[TimeRange], at: Instant) -> bool:
    """Whether any of the ranges holds the instant; none of them hold nothing."""
    return any(_holds(each, at) for each in ranges)


def _holds(part: TimeRange, at: Instant) -> bool:
    local = datetime.fromtimestamp(at / 1000, _zone(part.location))
    today = local.date()
    if not part.times:
        return _is_day_of(part, today)
    minute = local.hour * 60 + local.minute
    return any(_covers(part, start, end, minute, today) for start, end in part.times)


def _covers(part: TimeRange, start: int, end: int, minute: int, today: date) -> bool:
    if start <= end:
        return start <= minute < end and _is_day_of(part, today)
    if minute >= start:
        return _is_day_of(part, today)
    return minute < end and _is_day_of(part, today - timedelta(days=1))


def _is_day_of(part: TimeRange, day: date) -> bool:
    return (
        (not part.weekdays or day.weekday() in part.weekdays)
        and (not part.months or day.month in part.months)
        and (not part.years or any(first <= day.year <= last for first, last in part.years))
        and (not part.days_of_month or any(_is_day_between(day, *pair) for pair in part.days_of_month))
    )


def _is_day_between(day: date, first: int, last: int) -> bool:
    length = monthrange(day.year, day.month)[1]
    begin, end = (number if number > 0 else length + 1 + number for number in (first, last))
    return begin <= day.day <= end


@lru_cache(maxsize=64)
def _zone(location: str) -> ZoneInfo:
    return ZoneInfo(location)
