"""Money, times, percentiles and shares: what is written is read, what is read can be written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggerdev_alerts.documents import units
from triggerdev_alerts.documents.mistakes import Unfit

PARSERS = (units.parse_share, units.parse_money, units.parse_times, units.parse_quantile)


@pytest.mark.parametrize(
    ("parse", "show", "texts"),
    [
        (units.parse_money, units.format_money, ["50 USD", "0.25 USD", "0 USD"]),
        (units.parse_times, units.format_times, ["3x", "1.5x"]),
        (units.parse_quantile, units.format_quantile, ["p95", "p99.9", "p50"]),
        (units.parse_share, units.format_percent, ["10%", "0%", "99.5%"]),
    ],
)
def test_a_text_survives_the_round_trip(
    parse: Callable[[object], float], show: Callable[[float], str], texts: list[str]
) -> None:
    assert [show(parse(text)) for text in texts] == texts


@pytest.mark.parametrize("parse", PARSERS)
@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none())
def test_what_is_not_read_is_told(parse: Callable[[object], float], value: object) -> None:
    try:
        parse(value)
    except Unfit as unfit:
        assert len(unfit.text) < 250  # noqa: PT017 - both outcomes are right; a third is not
