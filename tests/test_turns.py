"""Long work in the event loop: the others get their turns, and no more often than they need."""

from __future__ import annotations

from collections.abc import Iterator

from triggerdev_exporter.turns import SLICE_S, in_turns
from virtual_clock import VirtualClock


async def test_the_others_get_a_turn_when_a_slice_is_over() -> None:
    clock = VirtualClock()
    done = []

    def steps() -> Iterator[None]:
        for number in range(100):
            clock.advance(SLICE_S / 9.5)
            done.append(number)
            yield

    await in_turns(steps(), clock)
    assert done == list(range(100))
    assert clock.slept == [0.0] * 10


async def test_short_work_waits_for_nobody() -> None:
    clock = VirtualClock()
    await in_turns(range(1_000), clock)
    assert clock.slept == []
