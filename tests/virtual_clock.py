"""A clock for tests: nobody waits, everybody sees the time that they would have waited."""

from __future__ import annotations

import asyncio

from triggerdev_exporter.clock import Instant

START: Instant = 1_795_458_600_000
"""2026-11-23T18:30:00Z, when the recordings were made."""


class VirtualClock:
    """Stands still until somebody sleeps or advances it; keeps what was slept in `slept`."""

    speed = 1.0

    def __init__(self, start: Instant = START) -> None:
        self._wall = float(start)
        self._monotonic = 1_000.0
        self.slept: list[float] = []

    def now(self) -> Instant:
        return round(self._wall)

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)  # noqa: TID251 -- lets the others run, as any wait would

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._wall += seconds * 1000
        self._monotonic += seconds
