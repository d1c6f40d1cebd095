"""The server's rate limit: a token bucket that is refilled by whole intervals, one bucket a key."""

from __future__ import annotations

from dataclasses import dataclass, field

from triggerdev_exporter.clock import SECOND, Instant


@dataclass(frozen=True, slots=True)
class Quota:
    """`burst` at most, `refill` more every `interval_ms`."""

    burst: int = 750
    refill: int = 250
    interval_ms: Instant = 10 * SECOND


DEPLOYMENT_QUOTA = Quota(1500, 500)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request is told. `remaining` is -1 for a request over the limit."""

    allowed: bool
    limit: int
    remaining: int
    reset: Instant

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(max(0, self.remaining)),
            "x-ratelimit-reset": str(self.reset),
        }


@dataclass
class Limiter:
    """The buckets of one quota."""

    quota: Quota
    _buckets: dict[str, tuple[int, Instant]] = field(default_factory=dict)

    def ask(self, key: str, now: Instant) -> Verdict:
        """Take a token from the bucket of `key`."""
        quota = self.quota
        tokens, refilled = self._buckets.get(key, (quota.burst, now))
        if now >= refilled + quota.interval_ms:
            intervals = (now - refilled) // quota.interval_ms
            tokens = min(quota.burst, tokens + intervals * quota.refill)
            refilled += intervals * quota.interval_ms
        left = tokens - 1
        self._buckets[key] = (max(0, left), refilled)
        return Verdict(left >= 0, quota.burst, left, refilled + quota.interval_ms)
