"""When a letter is tried again, and when it is given up. Pure; chance is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triggerdev_alerts.instants import DAY, MINUTE, SECOND, Instant

Chance = Callable[[], float]
"""A number from 0 up to 1, a new one at each call."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """1, 2, 4 … 60 seconds, give or take a fifth, for a day."""

    first: int = SECOND
    longest: int = MINUTE
    jitter: float = 0.2
    """As a part of the wait, to both sides. Many letters that failed together must not come back together."""
    give_up: int = DAY
    """After that long a failed attempt was the last."""
    orphaned: int = 10 * MINUTE
    """After that long a letter to a receiver that is not configured any more is given up."""

    def wait(self, attempts: int, chance: Chance) -> int:
        """Milliseconds until the next attempt, after `attempts` of them."""
        # 2**40 is beyond any sensible `longest`, and a letter may have been tried very often.
        plain = min(self.longest, self.first << min(max(attempts - 1, 0), 40))
        return round(plain * (1 + self.jitter * (2 * chance() - 1)))

    def is_over(self, created_at: Instant, now: Instant) -> bool:
        return now - created_at >= self.give_up
