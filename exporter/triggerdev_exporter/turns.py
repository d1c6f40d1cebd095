"""Long work in the event loop, done in parts: whoever else waits gets a turn between two of them.

What the work is, is not known here; others may go on between any two of its steps, and it must be right all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from triggerdev_exporter.clock import Clock

SLICE_S = 0.005
"""How long the loop is kept before the others get it: a tenth of what it may be kept for."""


async def in_turns(steps: Iterable[object], clock: Clock) -> None:
    """Go through `steps`, which do the work; each should take a few milliseconds at most."""
    until = clock.monotonic() + SLICE_S
    for _ in steps:
        if clock.monotonic() >= until:
            await clock.sleep(0)
            until = clock.monotonic() + SLICE_S
