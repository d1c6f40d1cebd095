"""How long the event loop was kept: what is remembered, and that a real stall is seen."""

from __future__ import annotations

import asyncio
import time

from triggerdev_exporter.stalls import EVERY, WINDOW, Stalls, watch


def test_the_longest_is_shown_for_two_minutes_and_then_forgotten() -> None:
    stalls = Stalls()
    assert stalls.longest(0) is None
    stalls.note(1_000.0, 0.001)
    stalls.note(1_001.0, 0.300)
    stalls.note(1_002.0, 0.002)
    for second in range(1_010, 1_400):
        stalls.note(float(second), 0.003)
        assert stalls.longest(float(second)) == (0.300 if second <= 1_000 + WINDOW + 9 else 0.003), second


async def test_who_keeps_the_loop_is_seen() -> None:
    stalls = Stalls()
    watching = asyncio.ensure_future(watch(stalls))
    loop = asyncio.get_running_loop()
    first = asyncio.Event()
    loop.call_soon(first.set)
    await first.wait()
    until = time.perf_counter() + 10 * EVERY
    while time.perf_counter() < until:  # keeps the loop, as a long page would
        pass
    seen = None
    while seen is None:
        await asyncio.sleep(0)  # noqa: TID251 -- the watcher's turn
        seen = stalls.longest(loop.time())
    watching.cancel()
    assert seen >= 8 * EVERY
