"""How often somebody may ask: token buckets by address, a row a kind of request. Pure: `now` is given, in seconds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MOST_KNOWN = 2_000
"""Addresses that are remembered; the one that was quiet longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second for long, and so many at once."""

    per_second: float
    burst: int


#: Far above what a person, a page that refreshes itself and two Prometheus need together behind one proxy's address.
RATES: dict[str, Rate] = {
    "scrape": Rate(50, 200),
    "read": Rate(50, 200),
    "write": Rate(10, 100),
    # Those that failed: nobody guesses a password at that pace, nor makes us work for it.
    "login": Rate(0.5, 10),
    "probe": Rate(20, 100),
}


class Buckets:
    """One bucket a key, all of one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Seconds until `key` may ask again; 0 if it may now. Takes nothing."""
        left = self._left(key, now)
        return 0.0 if left >= 1 else (1 - left) / self._rate.per_second

    def take(self, key: str, now: float) -> float:
        """Like `wait`, and if it may, it does."""
        wait = self.wait(key, now)
        if not wait:
            self._buckets[key] = (self._left(key, now) - 1, now)
            self._buckets.move_to_end(key)
            if len(self._buckets) > MOST_KNOWN:
                self._buckets.popitem(last=False)
        return wait

    def give(self, key: str) -> None:
        """What was taken last need not have been."""
        left, at = self._buckets.get(key, (float(self._rate.burst), 0.0))
        self._buckets[key] = (min(self._rate.burst, left + 1), at)

    def _left(self, key: str, now: float) -> float:
        left, at = self._buckets.get(key, (float(self._rate.burst), now))
        return min(self._rate.burst, left + max(0.0, now - at) * self._rate.per_second)
