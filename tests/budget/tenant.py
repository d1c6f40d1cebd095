"""The other one on our bucket: the user's own program, whose calls the rate limit is there for.

A script says how many calls it makes in each second. It is written against a bucket of its own, so what it would have
got without us is known exactly.
"""

from __future__ import annotations

from random import Random

from triggerdev_exporter.clock import SECOND
from triggerdev_exporter.simulator.limiter import Limiter, Quota
from virtual_clock import START, VirtualClock

QUOTA = Quota()
"""The real server's: 750 at most, 250 more every 10 s."""
KEY = "prod"


class SharedTime(VirtualClock):
    """A clock on which the tenant's seconds are played as they pass, against the bucket that it shares with us."""

    def __init__(self, script: list[int]) -> None:
        super().__init__(START)
        self._script = script
        self.bucket = Limiter(QUOTA)
        self.refused: list[int] = []
        """Calls of each second that got a 429."""
        self.least = QUOTA.burst
        """The fewest tokens that a call of the tenant left behind; negative after a 429."""

    @property
    def is_over(self) -> bool:
        return len(self.refused) == len(self._script)

    def advance(self, seconds: float) -> None:
        until = self._wall + seconds * 1000
        while not self.is_over and (at := START + (len(self.refused) + 1) * SECOND) <= until:
            verdicts = [self.bucket.ask(KEY, at) for _ in range(self._script[len(self.refused)])]
            self.refused.append(sum(not verdict.allowed for verdict in verdicts))
            self.least = min([self.least, *(verdict.remaining for verdict in verdicts)])
        super().advance(seconds)


def alone(script: list[int]) -> SharedTime:
    """How `script` fares without us."""
    time = SharedTime(script)
    time.advance(len(script))
    return time


def bursty(random: Random, seconds: int, *, leaves: int) -> list[int]:
    """Quiet and busy half minutes, up to nine tenths of the refill, and bursts that take the bucket down to `leaves`.

    After a burst it is modest until the bucket was full again: one that always asks for more than it is given would
    get a 429 for whatever anybody else takes.
    """
    bucket = Limiter(QUOTA)
    script: list[int] = []
    a_second, left, was_full = 0.0, QUOTA.burst, True
    for second in range(1, seconds + 1):
        if second % 30 == 1:
            a_second = random.choice((0.0, 2.5, 12.5, 22.5, 22.5))
        if second % 10 == 1 < second:
            left = min(QUOTA.burst, left + QUOTA.refill)
            was_full = was_full or left == QUOTA.burst
        rate = a_second if was_full else min(a_second, 12.5)
        # The first call begins the bucket's count of ten seconds.
        wanted = int(rate) + (random.random() < rate % 1) + (second == 1)
        if was_full and random.random() < 0.03:
            wanted, was_full = left, False
        made = 0
        while made < wanted and left > leaves:
            left = bucket.ask(KEY, START + second * SECOND).remaining
            made += 1
        script.append(made)
    return script
