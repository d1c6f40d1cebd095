from __future__ import annotations

import pytest

from triggerdev_exporter.api.meter import LATENCY_BOUNDS, ApiMeter, Latency

NOW = 1_795_458_600_000


@pytest.mark.parametrize(
    ("seconds", "cell"), [(0.0, 0), (0.05, 0), (0.051, 1), (1.0, 4), (30.0, 8), (30.1, len(LATENCY_BOUNDS))]
)
def test_a_duration_falls_into_the_first_cell_that_holds_it(seconds: float, cell: int) -> None:
    latency = Latency()
    latency.add(seconds)
    assert latency.counts[cell] == latency.count == 1
    assert latency.total == seconds


def test_requests_are_counted_by_endpoint_and_code() -> None:
    meter = ApiMeter()
    assert meter.up is None
    meter.request("runs", "200", 0.1, up=True)
    meter.request("runs", "200", 0.2, up=True)
    meter.request("runs", "timeout", 30.0, up=False)
    assert meter.requests == {("runs", "200"): 2, ("runs", "timeout"): 1}
    assert meter.latency["runs"].count == 3
    assert meter.up is False


@pytest.mark.parametrize(
    ("date", "offset"),
    [
        (NOW, 0),  # the header cuts the fraction off
        (NOW - 2_000, 0),
        (NOW + 1_000, 0),
        (NOW + 2_000, 2_500),
        (NOW - 60_000, -59_500),
    ],
)
def test_a_small_difference_of_clocks_is_none(date: int, offset: int) -> None:
    meter = ApiMeter()
    meter.server_date(date, NOW)
    assert meter.server_offset == offset
    assert meter.server_now(NOW + 5) == NOW + 5 + offset
