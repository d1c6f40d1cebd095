"""For how long the event loop kept everybody waiting: a timer that should fire often, and how late it did.

While the loop is kept, nothing is polled, scraped or told. The machine's own time counts here, whatever clock the
program has.
"""

from __future__ import annotations

import asyncio
import gc
from collections import deque

from triggerdev_exporter.clock import SystemClock

EVERY = 0.02
"""Seconds between two looks: a shorter stall is not seen, a longer one is at most that much too short."""
WINDOW = 120.0
"""Seconds for which the longest stall is shown: two scrapes of a minute."""
_SLOT = 10.0


class Stalls:
    """The longest stall of the last `WINDOW` seconds."""

    def __init__(self) -> None:
        self._slots: deque[tuple[int, float]] = deque(maxlen=round(WINDOW / _SLOT) + 1)
        """(number of ten seconds, longest stall in them), in order; only those in which somebody looked."""

    def note(self, at: float, stall: float) -> None:
        """The loop was kept for `stall` seconds until `at`, seconds of a clock that only goes forward."""
        slot = int(at // _SLOT)
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = (slot, max(stall, self._slots[-1][1]))
        else:
            self._slots.append((slot, stall))

    def longest(self, at: float) -> float | None:
        """Seconds; ``None`` where nobody looked."""
        oldest = (at - WINDOW) // _SLOT
        return max((stall for slot, stall in self._slots if slot >= oldest), default=None)


async def watch(stalls: Stalls) -> None:
    """Look until cancelled."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    while True:
        due = loop.time() + EVERY
        await clock.sleep(EVERY)
        now = loop.time()
        stalls.note(now, max(0.0, now - due))


def calm_the_collector() -> None:
    """Let Python look for cycles more rarely, and never among what was imported. Once, before the daemon begins.

    A page makes tens of thousands of short-lived tuples and no cycle, yet each 700 of them start a look, and each
    hundredth of those one at everything that lives: 40 ms with 100,000 series. Made rarer, a page of them costs 2 ms of
    looking and not 12.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
