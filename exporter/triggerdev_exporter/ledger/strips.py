"""What is kept for the windows of rules: strips of cells, one for each set of dimensions that a loaded rule asks for.

A cell is a span of time, (start, end], named by the number of its end. Everything that happened is added to the cell
of its own instant, whenever it was learnt; nothing here knows the time. On disk the same cells stand in `store.py`.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import accumulate
from typing import NamedTuple

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.ledger.tally import Labels

UNTOLD = "\x00"
"""Begins the label of a run whose queue is not told; the task follows, for whose own queue it may be taken."""

TAG_BREAK = "\n"
"""Between the tags in a label. Names hold no line breaks."""


class Family(StrEnum):
    """What is counted. In brackets what the sub-number of a cell means."""

    FINISHED = "finished"
    """[how it ended, by its place in `ENDED`]"""
    TRIGGERED = "triggered"
    """[0]"""
    COST = "cost"
    """[`RUNS`, `NANOUSD`]"""
    DURATION = "duration"
    """[bucket of the sketch]"""
    WAIT = "wait"
    BATCHES = "batches"
    """[`BATCHES`, `ITEMS`, `FAILED_ITEMS`]"""

    __hash__ = str.__hash__  # as in `statuses.RunStatus`


ENDED = ("COMPLETED", "FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "CANCELED", "EXPIRED")
"""The numbers stand in files: add at the end only."""
RUNS, NANOUSD = 0, 1
BATCHES, ITEMS, FAILED_ITEMS = 0, 1, 2
SKETCHED = (Family.DURATION, Family.WAIT)
DIMENSIONS = ("task", "queue", "version", "tag")
_BY_TASK = ("task",)


class About(NamedTuple):
    """What a strip may tell runs apart by."""

    task: str = ""
    queue: str | None = None
    """``None``: not told."""
    version: str = ""
    tags: tuple[str, ...] = ()
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """One thing that is counted by certain dimensions in cells of one width."""

    family: Family
    dimensions: tuple[str, ...]
    """In the order of `DIMENSIONS`."""
    width: int
    """Milliseconds."""
    tags: tuple[str, ...] = ()
    """If not empty, only runs with a tag like one of these count."""
    tests: bool = False
    """Whether test runs count."""
    key: str = field(init=False, repr=False, compare=False)
    """The name under which it is kept on disk."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Each run asks for both, several times a strip.
        told = [self.family.value, list(self.dimensions), self.width, list(self.tags), self.tests]
        object.__setattr__(self, "key", json.dumps(told, ensure_ascii=False, separators=(",", ":")))
        object.__setattr__(self, "_hash", hash(self.key))

    def __hash__(self) -> int:
        return self._hash

    def labels(self, about: About) -> Labels | None:
        """Where in this strip a run counts; ``None``: nowhere."""
        if about.is_test and not self.tests:
            return None
        if self.tags and not any(fnmatchcase(tag, glob) for tag in about.tags for glob in self.tags):
            return None
        if self.dimensions == _BY_TASK:
            return (about.task,)
        return tuple([_label(about, dimension) for dimension in self.dimensions])

    def cell(self, at: Instant) -> int:
        """The number of the cell that holds `at`: a cell has its end and not its beginning."""
        return -(-at // self.width)


def _label(about: About, dimension: str) -> str:
    match dimension:
        case "task":
            return about.task
        case "queue":
            return UNTOLD + about.task if about.queue is None else about.queue
        case "version":
            return about.version
    return TAG_BREAK.join(sorted(set(about.tags)))


def strip_of_key(key: str) -> Strip:
    """The strip that `Strip.key` names. Raises `ValueError`."""
    try:
        family, dimensions, width, tags, tests = json.loads(key)
        return Strip(Family(family), tuple(dimensions), int(width), tuple(tags), bool(tests))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key[:100]!r} names no strip of cells") from error


Needs = Mapping[Strip, int]
"""The strips that loaded rules ask for, and how far back, in milliseconds."""


class Track:
    """Numbers by cell, and their sum between two cells without walking through all of them."""

    __slots__ = ("_cells", "_sums", "_valid", "_values")

    def __init__(self) -> None:
        self._cells = array("q")
        self._values = array("q")
        self._sums = array("q")
        """Running sums; right in the first `_valid` places."""
        self._valid = 0

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, cell: int, by: int) -> int:
        """How many cells more there are now: 0 or 1."""
        place = bisect_left(self._cells, cell)
        self._valid = min(self._valid, place)
        if place < len(self._cells) and self._cells[place] == cell:
            self._values[place] += by
            return 0
        self._cells.insert(place, cell)
        self._values.insert(place, by)
        self._sums.insert(place, 0)
        return 1

    def between(self, after: int, until: int) -> int:
        """The sum over the cells in (after, until]."""
        end = bisect_right(self._cells, until)
        if end > self._valid:
            self._complete()
        begin = bisect_right(self._cells, after, 0, end)
        if begin >= end:
            return 0
        return self._sums[end - 1] - (self._sums[begin - 1] if begin else 0)

    def _complete(self) -> None:
        valid = self._valid
        base = self._sums[valid - 1] if valid else 0
        self._sums[valid:] = array("q", list(accumulate(self._values[valid:], initial=base))[1:])
        self._valid = len(self._cells)

    def drop(self, until: int) -> int:
        """Forget the cells up to `until`; how many they were."""
        end = bisect_right(self._cells, until)
        if end:
            del self._cells[:end], self._values[:end], self._sums[:end]
            self._valid = 0
        return end

    def items(self) -> Iterator[tuple[int, int]]:
        return zip(self._cells, self._values, strict=True)


class Sketch:
    """Buckets by cell: how often each.

    Each bucket of a cell stands once in `_cells` and `_codes`, which is counted fast; how often besides, in `_more`.
    """

    __slots__ = ("_cells", "_codes", "_more")

    def __init__(self) -> None:
        self._cells = array("q")
        self._codes = array("h")
        self._more: dict[int, dict[int, int]] = {}
        """By cell and bucket."""

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, cell: int, code: int, by: int) -> int:
        """How many entries more there are now: 0 or 1."""
        begin = bisect_left(self._cells, cell)
        end = bisect_right(self._cells, cell, begin)
        place = bisect_left(self._codes, code, begin, end)
        is_new = place >= end or self._codes[place] != code
        if is_new:
            self._cells.insert(place, cell)
            self._codes.insert(place, code)
            by -= 1
        if by:
            more = self._more.setdefault(cell, {})
            more[code] = more.get(code, 0) + by
        return int(is_new)

    def between(self, after: int, until: int, into: Counter[int]) -> None:
        """Add the buckets of the cells in (after, until] to `into`. Some may be 0."""
        begin = bisect_right(self._cells, after)
        end = bisect_right(self._cells, until, begin)
        into.update(self._codes[begin:end])
        if not self._more:
            return
        for cell, codes in self._more.items():
            if after < cell <= until:
                for code, count in codes.items():
                    into[code] += count

    def drop(self, until: int) -> int:
        """Forget the cells up to `until`; how many entries they were."""
        end = bisect_right(self._cells, until)
        if end:
            del self._cells[:end], self._codes[:end]
            self._more = {cell: codes for cell, codes in self._more.items() if cell > until}
        return end

    def items(self) -> Iterator[tuple[tuple[int, int], int]]:
        """((cell, bucket), how often)."""
        for place in zip(self._cells, self._codes, strict=True):
            yield place, 1 + self._more.get(place[0], {}).get(place[1], 0)


class Trail:
    """The cells of one set of labels in one strip."""

    __slots__ = ("sketch", "tracks")

    def __init__(self) -> None:
        self.tracks: dict[int, Track] = {}
        """By sub-number, for what is counted."""
        self.sketch = Sketch()
        """For what is sketched."""

    def between(self, after: int, until: int, subs: Iterable[int]) -> int:
        """The sum over those sub-numbers."""
        total = 0
        for sub in subs:
            track = self.tracks.get(sub)
            if track is not None:
                total += track.between(after, until)
        return total


Cells = dict[tuple[Strip, Labels], dict[tuple[int, int], int]]
"""By strip and labels: (cell, sub-number) → what is added."""


class Strips:
    """All strips of a ledger. It changes only with its ledger."""

    def __init__(self) -> None:
        self.needs: Needs = {}
        """What is asked for now; it is kept from the next page on."""
        self.entries = 0
        """Cells in memory, over all strips."""
        self._trails: dict[Strip, dict[Labels, Trail]] = {}

    def add(self, strip: Strip, labels: Labels, cells: Mapping[tuple[int, int], int]) -> None:
        trails = self._trails.setdefault(strip, {})
        trail = trails.get(labels)
        if trail is None:
            trail = trails[labels] = Trail()
        for (cell, sub), by in cells.items():
            if strip.family in SKETCHED:
                self.entries += trail.sketch.add(cell, sub, by)
                continue
            track = trail.tracks.get(sub)
            if track is None:
                track = trail.tracks[sub] = Track()
            self.entries += track.add(cell, by)

    def trails(self, strip: Strip) -> Mapping[Labels, Trail]:
        return self._trails.get(strip, {})

    def size(self, strip: Strip) -> int:
        """How many cells a strip has."""
        return sum(
            len(trail.sketch) + sum(len(track) for track in trail.tracks.values())
            for trail in self.trails(strip).values()
        )

    def trim(self, strip: Strip, until: int) -> None:
        """Forget cells up to the number `until`, and labels that are left without any."""
        trails = self._trails.get(strip, {})
        for labels, trail in list(trails.items()):
            self.entries -= trail.sketch.drop(until) + sum(track.drop(until) for track in trail.tracks.values())
            trail.tracks = {sub: track for sub, track in trail.tracks.items() if len(track)}
            if not trail.tracks and not len(trail.sketch):
                del trails[labels]

    def drop(self, strip: Strip) -> None:
        """Forget a strip."""
        self.entries -= self.size(strip)
        self._trails.pop(strip, None)
