"""The short form of the benchmark of spans: fewer runs, the same ratio. Never a bare time: machines are shared."""

from __future__ import annotations

from bench.spans import cost, outside


async def test_exporting_costs_little_more_than_the_sdk_takes() -> None:
    with outside(0) as urls:
        # The first spans pay for what is imported and compiled with them.
        await cost(100, urls)
        measured = await cost(1_000, urls)
    print(measured)
    assert measured.spans == 3_000
    assert measured.ratio < 4
