"""All runs of a world in the orders in which they are asked for, so that no page ever looks at all of them.

`order` and `by_status` are sorted lists of (createdAt, key). A scheduled run may lie in the future; `bisect` puts it
there. The journal remembers who changed when, which is what a lagging view needs.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.entities import Run

Place = tuple[Instant, str]


def descend(places: list[Place], below: Place | None, oldest: Instant | None) -> Iterator[Place]:
    """`places` from just below `below` (or the newest) down to those created at `oldest`."""
    at = len(places) if below is None else bisect_left(places, below)
    while at > 0:
        at -= 1
        if oldest is not None and places[at][0] < oldest:
            return
        yield places[at]


def ascend(places: list[Place], above: Place) -> Iterator[Place]:
    """`places` from just above `above` up to the newest."""
    at = bisect_left(places, above)
    if at < len(places) and places[at] == above:
        at += 1
    while at < len(places):
        yield places[at]
        at += 1


class RunIndex:
    """The runs that exist, by key, by time, by status, by change."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.order: list[Place] = []
        self.by_status: dict[str, list[Place]] = {}
        self._changed_at: list[Instant] = []
        self._changed: list[str] = []

    def insert(self, run: Run, now: Instant) -> None:
        place = (run.created_at, run.key)
        self.runs[run.key] = run
        insort(self.order, place)
        insort(self.by_status.setdefault(run.status, []), place)
        self.note(run, now)

    def move(self, run: Run, status: str) -> None:
        """Give `run` another status."""
        place = (run.created_at, run.key)
        self._take_out(self.by_status[run.status], place)
        run.status = status
        insort(self.by_status.setdefault(status, []), place)

    def remove(self, run: Run) -> None:
        place = (run.created_at, run.key)
        self._take_out(self.order, place)
        self._take_out(self.by_status[run.status], place)
        del self.runs[run.key]

    def note(self, run: Run, now: Instant) -> None:
        """Write into the journal that `run` changed."""
        self._changed_at.append(now)
        self._changed.append(run.key)

    def changed_since(self, at: Instant) -> set[str]:
        """Keys of the runs that changed at or after `at`."""
        return {key for key in self._changed[bisect_left(self._changed_at, at) :] if key in self.runs}

    def having(self, statuses: frozenset[str]) -> Iterator[Place]:
        """The runs that have one of `statuses` now, oldest first."""
        return merge(*(self.by_status.get(status, []) for status in sorted(statuses)))

    def with_status(
        self, statuses: frozenset[str], *, seen_at: Instant | None, below: Place | None, oldest: Instant | None
    ) -> Iterator[Place]:
        """Newest first, the runs that may have had one of `statuses` at `seen_at`; the caller checks."""
        streams = [descend(self.by_status.get(status, []), below, oldest) for status in sorted(statuses)]
        if seen_at is not None:
            late = sorted((self.runs[key].created_at, key) for key in self.changed_since(seen_at))
            streams.append(descend(late, below, oldest))
        last: Place | None = None
        for place in merge(*streams, reverse=True):
            if place != last:
                last = place
                yield place

    @staticmethod
    def _take_out(places: list[Place], place: Place) -> None:
        at = bisect_left(places, place)
        if at < len(places) and places[at] == place:
            del places[at]
