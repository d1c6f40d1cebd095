"""Numbers as people read them, a row each."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.conditions.keys import Kind, Value
from triggerdev_alerts.message.values import Moment, Quantity, show, show_instant, show_key, show_pair
from triggerdev_alerts.signals import Unit

DAY = 86_400_000


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        (Unit.COUNT, {0: "0", 57: "57", 12_345: "12,345", 2.5: "2.5", 0.125: "0.12", -3: "-3", 1234.5: "1,234.5"}),
        (
            Unit.FRACTION,
            {0.42: "42%", 0.125: "12.5%", 1: "100%", 0: "0%", 0.0005: "0.05%", 1e-5: "0.001%"},
        ),
        (
            Unit.MILLIS,
            {
                0: "0 ms",
                350: "350 ms",
                45_000: "45 s",
                180_000: "3 min",
                200_000: "3 min 20 s",
                4_800_000: "1 h 20 min",
                3_605_000: "1 h",
                2 * DAY + 3 * 3_600_000: "2 d 3 h",
                4_000 * DAY: "4,000 d",
                -5_000: "-5 s",
                999.7: "1 s",
            },
        ),
        (Unit.USD, {50: "$50.00", 0: "$0.00", 1234.5: "$1,234.50", 0.004: "$0.004", 1e-5: "less than $0.0001"}),
        (Unit.FRACTION, {24 / 57: "42.1%", 12.5: "1,250%"}),
        (Unit.USD, {-2: "-$2.00"}),
        (Unit.FLAG, {0: "no", 1: "yes"}),
        ("unheard", {7: "7"}),
    ],
)  # fmt: skip
def test_show(unit: str, shown: dict[float, str]) -> None:
    assert {value: show(value, unit) for value in shown} == shown


def test_what_is_no_number_is_said_so() -> None:
    assert [show(float(word), unit) for unit in Unit for word in ("nan", "inf", "-inf")] == [
        "unknown", "infinite", "minus infinite",
    ] * len(Unit)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "threshold", "unit", "shown"),
    [
        (0.42, 0.1, Unit.FRACTION, ("42%", "10%")),
        (0.10004, 0.1, Unit.FRACTION, ("10.004%", "10%")),
        (600_400, 600_000, Unit.MILLIS, ("10m400ms", "10m")),
        (50.001, 50, Unit.USD, ("$50.001", "$50")),
        (10.004, 10.001, Unit.COUNT, ("10.004", "10.001")),
        (5, 5, Unit.COUNT, ("5", "5")),
        (float("nan"), 5, Unit.COUNT, ("unknown", "5")),
    ],
)
def test_two_numbers_that_differ_are_never_shown_alike(
    value: float, threshold: float, unit: Unit, shown: tuple[str, str]
) -> None:
    assert show_pair(value, threshold, unit) == shown


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (Kind.DURATION, 900_000, "15m"),
        (Kind.DURATION, None, ""),
        (Kind.PERCENT, 0.1, "10%"),
        (Kind.PERCENT_OR_COUNT, 0.05, "5%"),
        (Kind.PERCENT_OR_COUNT, 5, "5"),
        (Kind.STATUSES, ("EXECUTING", "WAITING"), "EXECUTING or WAITING"),
        (Kind.QUANTILE, 0.95, "p95"),
        (Kind.TIMES, 3.0, "3"),
        (Kind.MONEY, 50.0, "$50.00"),
        (Kind.FLAG, True, "yes"),
        (Kind.WORD, "auth", "auth"),
    ],
)
def test_keys_look_as_in_a_rule(kind: Kind, value: Value, shown: str) -> None:
    assert show_key(kind, value) == shown


def test_instants_name_their_zone() -> None:
    assert show_instant(1_763_985_720_999) == "2025-11-24 12:02 UTC"
    assert show_instant(1_763_985_720_000, ZoneInfo("Europe/Berlin")) == "2025-11-24 13:02 CET"
    assert (str(Moment(0)), str(Quantity(0.5, Unit.FRACTION))) == ("1970-01-01 00:00 UTC", "50%")


@given(st.floats(), st.floats(), st.sampled_from([*Unit, "?"]))
def test_any_number_can_be_shown(value: float, threshold: float, unit: str) -> None:
    assert all(show_pair(value, threshold, unit))
    if threshold == threshold and abs(threshold) < 2**53:
        assert show_instant(int(threshold))
