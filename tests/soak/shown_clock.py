"""A scaled clock that another process reads, also after its owner was killed: its face is a small file in memory.

It does not run past whoever waits for it, nor away from whoever works: a busy machine or a slow disk takes a tenth of a
second now and then, which at this speed are minutes, and a story whose ticks are skipped tells something else.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

from triggerdev_exporter.clock import Instant, ScaledClock, SystemClock

SLACK = 2_000
"""Milliseconds of the clock by which whoever waits may be late, and that pass at most while somebody works."""
REQUEST = 90_000
"""And while a request is out."""
_HAND = struct.Struct("=qdqd")
_SLOTS = 8
"""The first slot holds the number of the one that is valid, so that a kill in the middle of a turn does no harm."""


class Face:
    """What the clock shows: (when it was looked at, real seconds then, how far it may run, its speed)."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def show(self, now: Instant, latest: Instant, speed: float) -> None:
        slot = self._map[0] % (_SLOTS - 1) + 1
        _HAND.pack_into(self._map, slot * _HAND.size, now, SystemClock().monotonic(), latest, speed)
        self._map[0] = slot

    def last(self) -> Instant:
        """The latest instant that anybody was told."""
        return self._read()[0]

    def now(self) -> Instant:
        """What the clock would show if it was looked at now."""
        now, real, latest, speed = self._read()
        return max(now, min(latest, now + int((SystemClock().monotonic() - real) * 1000 * speed)))

    def _read(self) -> tuple[Instant, float, Instant, float]:
        found: tuple[Instant, float, Instant, float] = _HAND.unpack_from(self._map, self._map[0] * _HAND.size)
        return found

    def close(self) -> None:
        self._map.close()


def make_face(path: Path, now: Instant) -> Face:
    """A new face that shows `now`, and stands still."""
    path.write_bytes(bytes(_SLOTS * _HAND.size))
    face = Face(path)
    face.show(now, now, 0.0)
    return face


class ShownClock(ScaledClock):
    """See above. It stands still until `start`."""

    def __init__(self, face: Face, start: Instant) -> None:
        super().__init__(speed=0.0, start=start)
        self._face = face
        self._seen = start
        self._awaited: dict[object, Instant] = {}
        """When each of those who wait wants to be woken."""
        self._hands = 0
        self._works_since: Instant | None = start
        self._is_out: Callable[[], bool] = lambda: False
        self._out_since: Instant | None = None
        face.show(start, start, 0.0)

    def start(self, speed: float, hands: int, is_out: Callable[[], bool]) -> None:
        """Run. When `hands` wait, nobody works; `is_out` tells whether a request is."""
        self._hands, self._is_out = hands, is_out
        self.set(speed=speed)
        self.now()

    @property
    def seen(self) -> Instant:
        """What anybody was told last; may be asked from any thread."""
        return self._seen

    def now(self) -> Instant:
        instant, latest = super().now(), self._latest()
        if instant > latest:
            instant = latest
            self.set(now=instant)
        self._seen = instant
        self._works_since = self._since(self._works_since, len(self._awaited) < self._hands)
        self._out_since = self._since(self._out_since, self._is_out())
        self._face.show(instant, self._latest(), self.speed)
        return instant

    def _since(self, known: Instant | None, holds: bool) -> Instant | None:
        if not holds:
            return None
        return self._seen if known is None else known

    def _latest(self) -> Instant:
        ends = [awaited + SLACK for awaited in self._awaited.values()]
        if self._works_since is not None:
            ends.append(self._works_since + SLACK)
        if self._out_since is not None:
            ends.append(self._out_since + REQUEST)
        return max(self._seen, min(ends, default=self._seen))

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await super().sleep(0)
            return
        mine = object()
        self._awaited[mine] = self.now() + int(seconds * 1000)
        self.now()
        try:
            await super().sleep(seconds)
        finally:
            self.now()
            del self._awaited[mine]
            self.now()
