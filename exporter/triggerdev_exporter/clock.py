"""The one place where time enters the program.

An instant is an `Instant`: Unix time in whole milliseconds, the unit the API counts in. Decisions never come here:
they take ``now``. Only loops, the HTTP client and the composition root hold a `Clock`. A lint rule bans
``time.time``, ``datetime.now`` and ``asyncio.sleep`` everywhere else.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND, Clock, Instant, iso

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Clock", "Instant", "ScaledClock", "SystemClock", "iso", "machine_time"]


class SystemClock:
    """The machine's clock."""

    speed = 1.0

    def now(self) -> Instant:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ScaledClock:
    """A clock that runs `speed` times as fast as the machine's, from `start` on: for demo and tests.

    `freeze` stops it and `set` moves it, so that a test can compare two sides of a story at one instant.
    """

    def __init__(self, *, speed: float = 1.0, start: Instant | None = None) -> None:
        self._speed = speed
        self._origin = time.monotonic()
        self._start = float(time.time_ns() // 1_000_000 if start is None else start)

    @property
    def speed(self) -> float:
        """Clock seconds a real second; 0 while frozen."""
        return self._speed

    def now(self) -> Instant:
        return int(self._start + (time.monotonic() - self._origin) * 1000.0 * self._speed)

    def monotonic(self) -> float:
        return self._start / 1000.0 + (time.monotonic() - self._origin) * self._speed

    def set(self, *, now: Instant | None = None, speed: float | None = None) -> None:
        """Jump to `now` and/or run at `speed` from here on."""
        here = self.now() if now is None else now
        self._start, self._origin = float(here), time.monotonic()
        if speed is not None:
            self._speed = speed

    async def sleep(self, seconds: float) -> None:
        # A frozen clock still lets real time pass for those who wait: a retry must not hang for ever.
        await asyncio.sleep(seconds / self._speed if self._speed > 0 else seconds)


def machine_time() -> datetime:
    """The machine's own time, for a scheduler that lives on it whatever clock the program has."""
    return datetime.now(UTC)
