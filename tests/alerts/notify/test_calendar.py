"""Time intervals against the wall clock, on ordinary days and on the nights in which the clock is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_stage import t
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.notify.calendar import is_inside
from triggerdev_alerts.rules.model import TimeRange

NIGHTS = (TimeRange(times=((22 * 60, 6 * 60),), location="Europe/Berlin"),)


def spans(ranges: tuple[TimeRange, ...], start: str, end: str) -> list[tuple[str, int]]:
    """When the ranges begin within a time, each with its minutes, by looking at every minute."""
    found: list[tuple[str, int]] = []
    before = False
    for at in range(t(start), t(end), MINUTE):
        inside = is_inside(ranges, at)
        if inside and not before:
            found.append((f"{datetime.fromtimestamp(at / 1000, UTC):%m-%d %H:%M}", 0))
        if inside:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        before = inside
    return found


@pytest.mark.parametrize(
    ("start", "end", "muted"),
    [
        ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", ("10-24 20:00", 9 * 60)),
        ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", ("03-28 21:00", 7 * 60)),
        ("2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z", ("06-01 20:00", 8 * 60)),
    ],
)
def test_t4_nights_in_berlin(start: str, end: str, muted: tuple[str, int]) -> None:
    assert spans(NIGHTS, start, end) == [muted]


@pytest.mark.parametrize(
    ("times", "day", "minutes"),
    [
        ((2 * 60, 3 * 60), "2026-10-25", 120),
        ((2 * 60, 3 * 60), "2026-03-29", 0),
        ((0, 6 * 60), "2026-10-25", 7 * 60),
        ((0, 6 * 60), "2026-03-29", 5 * 60),
        ((0, 24 * 60), "2026-10-25", 25 * 60),
    ],
)
def test_hours_that_are_missing_or_come_twice(times: tuple[int, int], day: str, minutes: int) -> None:
    part = TimeRange(times=(times,), location="Europe/Berlin")
    local = datetime.fromisoformat(f"{day}T00:00:00Z")
    around = [(local + timedelta(hours=hours)).isoformat() for hours in (-2, 24)]
    # The instants before local midnight belong to the day before; only whole hours of this day are counted.
    counted = sum(
        is_inside((part,), at)
        and is_inside((TimeRange(days_of_month=((local.day,) * 2,), location="Europe/Berlin"),), at)
        for at in range(t(around[0]), t(around[1]), MINUTE)
    )
    assert counted == minutes


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    friday_nights = (TimeRange(times=((22 * 60, 6 * 60),), weekdays=(4,)),)
    assert spans(friday_nights, "2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z") == [("06-05 22:00", 8 * 60)]


def test_the_end_is_exclusive_and_24_00_is_an_end() -> None:
    evening = (TimeRange(times=((18 * 60, 24 * 60),)),)
    assert not is_inside(evening, t("17:59:59"))
    assert is_inside(evening, t("18:00:00"))
    assert is_inside(evening, t("23:59:59"))
    assert not is_inside(evening, t("2026-06-02T00:00:00Z"))


@pytest.mark.parametrize(
    ("days", "inside"),
    [
        ((1, 3), [1, 2, 3]),
        ((-1, -1), [28]),
        ((-3, -1), [26, 27, 28]),
        ((27, 31), [27, 28]),
        ((30, 31), []),
        ((-31, 2), [1, 2]),
    ],
)
def test_days_of_february(days: tuple[int, int], inside: list[int]) -> None:
    part = (TimeRange(days_of_month=(days,)),)
    assert [day for day in range(1, 29) if is_inside(part, t(f"2026-02-{day:02d}T12:00:00Z"))] == inside


def test_months_and_years() -> None:
    part = (TimeRange(months=(12,), years=((2026, 2027),)),)
    assert [
        is_inside(part, t(f"{day}T00:00:00Z")) for day in ("2025-12-31", "2026-12-01", "2027-12-31", "2028-12-01")
    ] == [False, True, True, False]


def test_nothing_holds_nothing_and_an_empty_range_holds_everything() -> None:
    assert not is_inside((), t("12:00:00"))
    assert is_inside((TimeRange(),), t("12:00:00"))


@given(
    st.integers(t("2026-01-01T00:00:00Z"), t("2027-01-01T00:00:00Z")),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]),
)
def test_a_range_and_the_rest_of_the_day_are_the_whole_day(at: int, start: int, end: int, zone: str) -> None:
    if start == end:
        return
    inside = is_inside((TimeRange(times=((start, end),), location=zone),), at)
    rest = ((end % 1440, start),) if end % 1440 != start else ()
    outside = bool(rest) and is_inside((TimeRange(times=rest, location=zone),), at)
    assert inside != outside


def test_hours_of_offsets_that_are_no_whole_hours() -> None:
    part = (TimeRange(times=((9 * 60, 10 * 60),), location="Asia/Kathmandu"),)
    assert spans(part, "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z") == [("06-01 03:15", HOUR // MINUTE)]
