"""What time is here: an instant is Unix time in whole milliseconds, a duration a number of them.

Nothing in this package asks a clock. Decisions take ``now``; whoever waits is given a `Clock`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

Instant = int
"""Unix time in whole milliseconds."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """Where now is, and how to wait."""

    def now(self) -> Instant:
        """Wall time, Unix milliseconds."""
        ...

    @property
    def speed(self) -> float:
        """How many of this clock's seconds pass in a second of the machine's: what a scheduler must divide by."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations within this process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many of this clock's seconds."""
        ...


def iso(instant: Instant) -> str:
    """`instant` in RFC 3339, as the API writes it: ``2026-11-23T18:30:00.000Z``."""
    seconds, millis = divmod(instant, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def iso_or_none(instant: Instant | None) -> str | None:
    """The same, where 0 and ``None`` are no instant at all."""
    return iso(instant) if instant else None
