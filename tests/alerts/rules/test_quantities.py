"""Units of conditions' keys: what is read, what is told, and that what is shown is read as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.keys import REQUIRED, Key, Kind
from triggerdev_alerts.documents.mistakes import Unfit
from triggerdev_alerts.rules import quantities

DURATION = Key("for_how_long", Kind.DURATION, "")
RATE = Key("above", Kind.PERCENT, "")
COUNT = Key("above", Kind.COUNT, "", least=1, most=100)
EITHER = Key("above", Kind.PERCENT_OR_COUNT, "")
TIMES = Key("times", Kind.TIMES, "", least=1)
MONEY = Key("above", Kind.MONEY, "")
QUANTILE = Key("quantile", Kind.QUANTILE, "", least=0.01, most=0.999)
FLAG = Key("ignore_paused", Kind.FLAG, "")
STATUSES = Key("status", Kind.STATUSES, "", choices=("FAILED", "CRASHED"))
WORD = Key("reason", Kind.WORD, "", choices=("any", "auth"))
WINDOW = Key("window", Kind.DURATION, "", least=60_000)


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        (DURATION, "1h30m", 5_400_000),
        (DURATION, "0s", 0),
        (RATE, "10%", 0.1),
        (RATE, "0.5%", 0.005),
        (RATE, 0.1, 0.1),
        (RATE, 0, 0.0),
        (RATE, 1, 1.0),
        (COUNT, 5, 5),
        (EITHER, "5%", 0.05),
        (EITHER, 0.05, 0.05),
        (EITHER, 5, 5),
        (EITHER, 1, 1),
        (TIMES, "3x", 3.0),
        (TIMES, "1.5x", 1.5),
        (TIMES, 2, 2.0),
        (MONEY, "50 USD", 50.0),
        (MONEY, "0.25USD", 0.25),
        (QUANTILE, "p95", 0.95),
        (QUANTILE, "p99.9", 0.999),
        (QUANTILE, 0.5, 0.5),
        (FLAG, False, False),
        (STATUSES, "FAILED", ("FAILED",)),
        (STATUSES, ("CRASHED", "FAILED"), ("CRASHED", "FAILED")),
        (WORD, "auth", "auth"),
        (WINDOW, "65m", 3_900_000),
        (WINDOW, "70s", 70_000),
    ],
)
def test_what_is_read(key: Key, written: object, value: object) -> None:
    read = quantities.parse(key, written)
    assert read == value
    assert type(read) is type(value)
    assert quantities.parse(key, quantities.show(key, read)) == read


@pytest.mark.parametrize(
    ("key", "written", "code", "text"),
    [
        (DURATION, 30, "duration", '30 is not a duration; write "30s" for seconds, "30m" for minutes'),
        (DURATION, "367d", "range", "367d is out of range; between 0s and 366d is possible"),
        (RATE, 10, "unit", 'a rate needs a percent or a fraction: "10%" or 0.1 (10 would mean 1000%)'),
        (RATE, 2.5, "unit", 'a rate needs a percent or a fraction: "2.5%" or 0.025'),
        (RATE, "0.1", "unit", 'a rate needs a percent or a fraction: "10%" or 0.1, not "0.1"'),
        (RATE, "150%", "range", "150% is out of range; between 0% and 100% is possible"),
        (RATE, True, "unit", 'a rate needs a percent or a fraction: "10%" or 0.1, not true'),
        (RATE, float("nan"), "unit", 'a rate needs a percent or a fraction: "10%" or 0.1, not nan'),
        (COUNT, "5", "unit", '"5" is not a number of things; write 5 without quotes'),
        (COUNT, "5 runs", "unit", '"5 runs" is not a number of things; write a whole number without a unit'),
        (COUNT, 5.0, "unit", "5.0 is not a number of things; write a whole number without a unit"),
        (COUNT, True, "unit", "true is not a number of things; write a whole number without a unit"),
        (COUNT, 0, "range", "0 is out of range; between 1 and 100 is possible"),
        (EITHER, "5", "unit", '"5" is neither a share nor a number; write it like "5%" or 5'),
        (EITHER, -1, "range", "-1 is out of range; between 0 and 1000000000 is possible"),
        (EITHER, "150%", "range", '"150%" is out of range; a share is between 0% and 100%'),
        (TIMES, "3", "unit", '"3" is not how many times; write it like "3x"'),
        (TIMES, "0.5x", "range", "0.5x is out of range; between 1x and 1000x is possible"),
        (MONEY, 50, "unit", '50 is not an amount of money; write "50 USD"'),
        (MONEY, "$50", "unit", '"$50" is not an amount of money; write "50 USD"'),
        (MONEY, "much", "unit", '"much" is not an amount of money; write it like "50 USD"'),
        (QUANTILE, 95, "unit", '95 is not a percentile; write it like "p95" or 0.95'),
        (QUANTILE, "95%", "unit", '"95%" is not a percentile; write it like "p95" or 0.95'),
        (QUANTILE, "p99.99", "range", "p99.99 is out of range; between p1 and p99.9 is possible"),
        (FLAG, "yes", "type", '"yes" is neither true nor false'),
        (STATUSES, (), "type", '"status" wants a status or a list of them; possible are FAILED, CRASHED'),
        (STATUSES, ("FAILED", "FAILED"), "duplicate", '"FAILED" is there twice; keep one of them'),
        (STATUSES, "failed", "enum", '"failed" is not a status; one of FAILED, CRASHED – did you mean "FAILED"?'),
        (WORD, "oauth", "enum", '"oauth" is not a reason; one of any, auth – did you mean "auth"?'),
        (WINDOW, "75s", "window", "a window is a multiple of 10s; write 1m20s"),
        (WINDOW, "61m30s", "window", "a window above 1h is a multiple of 1m; write 1h2m"),
        (WINDOW, "30s", "range", "30s is out of range; between 1m and 366d is possible"),
    ],
)
def test_what_is_told(key: Key, written: object, code: str, text: str) -> None:
    with pytest.raises(Unfit) as raised:
        quantities.parse(key, written)
    assert (raised.value.code, raised.value.text) == (code, text)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.tuples(st.text())


@given(st.sampled_from([DURATION, RATE, COUNT, EITHER, TIMES, MONEY, QUANTILE, FLAG, STATUSES, WORD, WINDOW]), ANYTHING)
def test_anything_is_read_or_told(key: Key, written: object) -> None:
    try:
        read = quantities.parse(key, written)
    except Unfit as unfit:
        assert len(unfit.text) < 300  # noqa: PT017 - both outcomes are right; a third is not
    else:
        assert quantities.parse(key, quantities.show(key, read)) == pytest.approx(read)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_default_and_example_of_a_row_can_be_written(name: str) -> None:
    for key in CONDITIONS[name].keys:
        if key.default is not REQUIRED and key.default is not None:
            assert quantities.parse(key, quantities.show(key, key.default)) == key.default
        shown = quantities.example(key)
        if shown is not None:
            quantities.parse(key, shown)
