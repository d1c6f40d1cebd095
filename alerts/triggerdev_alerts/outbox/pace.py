"""How fast a receiver may be written to: a token bucket, asked with the time. It waits for nobody."""

from __future__ import annotations

from triggerdev_alerts.instants import SECOND, Instant


class Pace:
    """`rate` is (requests a second for long, requests at once); ``None`` is no limit. It starts full."""

    def __init__(self, rate: tuple[float, int] | None) -> None:
        self._rate = rate
        self._tokens = 0.0 if rate is None else float(rate[1])
        self._at: Instant | None = None

    def free(self, now: Instant) -> int | None:
        """How many requests may start now; ``None``: any number."""
        self._fill(now)
        return None if self._rate is None else int(self._tokens)

    def take(self, now: Instant, count: int) -> None:
        """`count` requests start now."""
        self._fill(now)
        self._tokens -= count

    def free_at(self, now: Instant) -> Instant:
        """When the next request may start; `now` if it may."""
        self._fill(now)
        if self._rate is None or self._tokens >= 1:
            return now
        # One more, for what is lost in rounding: who comes at this instant finds a token.
        return now + int((1 - self._tokens) / self._rate[0] * SECOND) + 1

    def _fill(self, now: Instant) -> None:
        if self._rate is not None:
            # A clock that was set back gives nothing and takes nothing.
            elapsed = 0 if self._at is None else max(0, now - self._at)
            self._tokens = min(float(self._rate[1]), self._tokens + elapsed / SECOND * self._rate[0])
        self._at = now
