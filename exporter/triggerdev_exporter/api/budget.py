"""How many requests we may send, and who of us goes first. Pure accounting: no clock, no I/O.

Every `now` is in milliseconds of the *monotonic* clock. Two things hold us back: our own share of the quota, counted
over the last 60 seconds, and what the server says about its bucket, which we share with the user's own `trigger()`
calls. The log of the window is a list of instants and not a token bucket, because "never more than the share in any
60 s" has to hold at every edge of a window.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from triggerdev_exporter.api.calls import Priority

WINDOW = 60_000
"""Milliseconds over which the share is counted."""

LONGEST_BLOCK = 600_000
"""No answer of the server silences us for longer: a wrong reset must not blind the exporter for ever."""

_SHORTEST_READING = 1_000
_LONGEST_REFILL = 10_000

#: Part of our window that each priority may fill up to.
_PARTS: dict[Priority, float] = {
    Priority.LIVE: 1.0,
    Priority.HEAD: 1.0,
    Priority.SETTLE: 0.9,
    Priority.CATCH_UP: 0.6,
}
#: Below this part of the server's bucket → the parts above shrink to these. First row that fits, lowest first.
_YIELDING: tuple[tuple[float, dict[Priority, float]], ...] = (
    (0.1, {Priority.LIVE: 0.25, Priority.HEAD: 0.1, Priority.SETTLE: 0.0, Priority.CATCH_UP: 0.0}),
    (0.3, {Priority.SETTLE: 0.0, Priority.CATCH_UP: 0.0}),
    (0.5, {Priority.CATCH_UP: 0.0}),
)


_DEBT, _LARGEST_DEBT = 0.4, 0.3
"""Parts of our share of the server's bucket, and of the bucket, that we may take out between two times it was full."""
_FULL_SOON = 2 / 3
"""With so much left, the next refill fills it: what we took out is made good."""


class Why(StrEnum):
    """The reason of a `Decision`."""

    GO = "go"
    SHARE_USED = "share_used"
    """Our part of the window is full."""
    YIELDING = "yielding"
    """The server's bucket is low: others come first."""
    BLOCKED = "blocked"
    """The server said 429."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go now, or after how many seconds to ask again."""

    delay: float
    why: Why


_GO = Decision(0.0, Why.GO)


class Budget:
    """What we sent in the last minute against what we may send: at least one request a minute, else share of quota."""

    def __init__(self, requests_per_minute: float, share: float) -> None:
        self._capacity = max(1, int(requests_per_minute * share + 1e-9))
        self._share = share
        self._sent: deque[int] = deque()
        self._blocked_until = 0
        self._left = 1.0
        self._left_until = 0
        # What we took from the bucket since it was last full. A call of the user can only fail for want of these.
        self._debt = 0
        self._most_debt: int | None = None
        self._paid_at: int | None = None

    @property
    def capacity(self) -> int:
        """Requests that we may send in any 60 seconds."""
        return self._capacity

    def delay(self, priority: Priority, now: int) -> float:
        """Seconds until a request of `priority` may be asked for again; 0 means now."""
        return self.decide(priority, now).delay

    def decide(self, priority: Priority, now: int) -> Decision:
        """`delay`, with the reason."""
        if now < self._blocked_until:
            return Decision((self._blocked_until - now) / 1000, Why.BLOCKED)
        self._forget(now)
        in_peace = self._allowed(_PARTS[priority])
        allowed = in_peace
        yields_until = self._left_until
        if self._in_debt(now) and priority is not Priority.LIVE:
            allowed = min(allowed, self._allowed(_YIELDING[0][1][priority]))
            yields_until = now + _LONGEST_REFILL if self._paid_at is None else self._paid_at
        elif now < self._left_until:
            allowed = min(allowed, self._allowed(self._yielding_part(priority)))
        if len(self._sent) < allowed:
            return _GO
        # The slot frees when enough of the log has left the window; yielding also ends when the reading is too old.
        instants = [self._frees_at(allowed)] if allowed else []
        why = Why.SHARE_USED
        if allowed < in_peace:
            free_in_peace = now if len(self._sent) < in_peace else self._frees_at(in_peace)
            instants.append(max(yields_until, free_in_peace))
            why = Why.YIELDING
        return Decision(max(1, min(instants) - now) / 1000, why)

    def spend(self, now: int) -> None:
        """A request goes out."""
        self._forget(now)
        self._sent.append(now)
        self._debt += 1

    def observe(self, limit: int, remaining: int, reset_in_ms: int | None, now: int) -> None:
        """The server's bucket holds `remaining` of `limit`, and is refilled in `reset_in_ms`.

        A reading is believed until that refill, one window at most: then somebody asks again and learns better.
        """
        if limit <= 0:
            return
        lasts = WINDOW if reset_in_ms is None else min(max(reset_in_ms, _SHORTEST_READING), WINDOW)
        self._left = remaining / limit
        self._left_until = now + lasts
        self._most_debt = max(1, int(limit * min(self._share * _DEBT, _LARGEST_DEBT)))
        self._paid_at = None if self._left < _FULL_SOON else now + min(lasts, _LONGEST_REFILL)

    def block_until(self, instant: int, now: int) -> None:
        """After a 429: nobody asks before `instant` (monotonic milliseconds, ten minutes ahead at most)."""
        self._blocked_until = max(self._blocked_until, min(instant, now + LONGEST_BLOCK))

    def _in_debt(self, now: int) -> bool:
        if self._paid_at is not None and now >= self._paid_at:
            self._debt, self._paid_at = 0, None
        return self._most_debt is not None and self._debt >= self._most_debt

    def _allowed(self, part: float) -> int:
        # A part of a small share is at least one request: nobody starves because the user was modest.
        return max(1, int(self._capacity * part + 1e-9)) if part > 0 else 0

    def _yielding_part(self, priority: Priority) -> float:
        for below, parts in _YIELDING:
            if self._left < below:
                return parts.get(priority, _PARTS[priority])
        return _PARTS[priority]

    def _frees_at(self, allowed: int) -> int:
        """When the log holds fewer than `allowed` again."""
        return self._sent[len(self._sent) - allowed] + WINDOW + 1

    def _forget(self, now: int) -> None:
        # Strictly older than the window, since the clock is cut to whole ms: 60.000 s apart may be less.
        while self._sent and now - self._sent[0] > WINDOW:
            self._sent.popleft()
