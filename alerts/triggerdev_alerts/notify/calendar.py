"""Time intervals: is an instant inside, and when does that change. Wall time is looked up, never calculated with.

An instant in UTC has exactly one wall time in a zone, so the question "is it inside" has an answer also on the nights
in which an hour is missing or comes twice. A range over midnight belongs to the day on which it began.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from triggerdev_alerts.instants import DAY, Instant
from triggerdev_alerts.rules.model import TimeRange

HORIZON_DAYS = 400
"""How far ahead a change is looked for: a range that is bound to months comes back within that."""


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


def next_change(ranges: Sequence[TimeRange], at: Instant) -> Instant | None:
    """The first instant after `at` at which `is_inside` answers otherwise; ``None`` if there is none in 400 days."""
    now_inside = is_inside(ranges, at)
    for offset in range(-1, HORIZON_DAYS):
        near = datetime.fromtimestamp(at / 1000, UTC).date() + timedelta(days=offset)
        candidates = {instant for part in ranges for instant in _edges(part, near) if instant > at}
        for instant in sorted(candidates):
            # A day's edges in one zone may lie after the next day's in another: look no further than all are known.
            if is_inside(ranges, instant) is not now_inside:
                return _earliest(ranges, at, instant, now_inside)
    return None


def _earliest(ranges: Sequence[TimeRange], at: Instant, found: Instant, now_inside: bool) -> Instant:
    """`found`, or an earlier edge of a neighbouring day: zones are up to a day apart."""
    day = datetime.fromtimestamp(found / 1000, UTC).date()
    near = (day + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2))
    edges = {edge for date_ in near for part in ranges for edge in _edges(part, date_) if at < edge <= found}
    return next(edge for edge in sorted(edges) if is_inside(ranges, edge) is not now_inside)


def _edges(part: TimeRange, day: date) -> Iterator[Instant]:
    """Instants on that local day at which the range may begin or end, or the zone's clock is moved."""
    zone = _zone(part.location)
    minutes = {0, *(minute % 1440 for pair in part.times for minute in pair)}
    for minute in minutes:
        wall = datetime.combine(day, time(minute // 60, minute % 60), zone)
        yield from {_instant(wall.replace(fold=fold)) for fold in (0, 1)}
    midnight = _instant(datetime.combine(day, time(), zone))
    yield from _moves(zone, midnight, midnight + DAY)


def _moves(zone: ZoneInfo, start: Instant, end: Instant) -> Iterator[Instant]:
    """When the zone's offset changes between two instants, at most once, to the second."""
    if _offset(zone, start) == _offset(zone, end):
        return
    low, high = start // 1000, end // 1000
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * 1000) == _offset(zone, start):
            low = middle
        else:
            high = middle
    yield high * 1000


def _offset(zone: ZoneInfo, at: Instant) -> timedelta | None:
    return datetime.fromtimestamp(at / 1000, zone).utcoffset()


def _instant(wall: datetime) -> Instant:
    return round(wall.timestamp() * 1000)


@lru_cache(maxsize=64)
def _zone(location: str) -> ZoneInfo:
    return ZoneInfo(location)
