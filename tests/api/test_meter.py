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
    meter.server_date(date, NOW - 50, NOW + 50)
    assert meter.server_offset == offset
    assert meter.server_now(NOW + 5) == NOW + 5 + offset


@pytest.mark.parametrize(
    ("believed", "date", "offset"),
    [
        (0, NOW + 20_000, 0),  # it answered at the end of the 20 seconds
        (0, NOW, 0),  # or at once
        (7_000, NOW + 20_000, 7_000),
        (0, NOW + 60_000, 50_500),  # no moment of the 20 seconds makes this true
        (90_000, NOW + 10_000, 0),
    ],
)
def test_a_slow_answer_says_little_about_the_clock(believed: int, date: int, offset: int) -> None:
    meter = ApiMeter(server_offset=believed)
    meter.server_date(date, NOW, NOW + 20_000)
    assert meter.server_offset == offset
