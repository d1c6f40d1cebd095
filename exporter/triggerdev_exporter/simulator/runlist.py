"""One page of runs: which rows a filter and a cursor choose, in which order, seen with which lag.

The view knows a run as it was at `seen_at`; what is then told of it is of now, and a row whose status has left the
filter meanwhile is dropped *after* the cursor was made. So a page may be short, or empty, with a `next`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from triggerdev_exporter.clock import Instant
from triggerdev_exporter.simulator.entities import Run
from triggerdev_exporter.simulator.error_groups import error_id
from triggerdev_exporter.simulator.index import Place, ascend, descend
from triggerdev_exporter.simulator.world import World


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a request asks for; ``None`` is any."""

    statuses: frozenset[str] | None = None
    tasks: frozenset[str] | None = None
    versions: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    is_test: bool | None = None
    oldest: Instant | None = None
    newest: Instant | None = None
    batch: str | None = None
    schedule: str | None = None
    bulk: str | None = None
    error: str | None = None
    queues: frozenset[str] | None = None
    machines: frozenset[str] | None = None
    regions: frozenset[str] | None = None

    def admits(self, run: Run, seen_at: Instant) -> bool:
        """Whether `run`, as it was at `seen_at`, belongs."""
        return (
            run.visible_at <= seen_at
            and (self.statuses is None or run.status_at(seen_at) in self.statuses)
            and (self.tasks is None or run.task in self.tasks)
            and (self.versions is None or run.version in self.versions)
            and (self.tags is None or not self.tags.isdisjoint(run.tags))
            and (self.is_test is None or run.is_test == self.is_test)
            and (self.batch is None or run.batch_id == self.batch)
            and (self.schedule is None or run.schedule_id == self.schedule)
            and (self.bulk is None or run.bulk_id == self.bulk)
            and (self.error is None or error_id(run) == self.error)
            and (self.queues is None or run.queue in self.queues)
            and (self.machines is None or run.machine in self.machines)
            and (self.regions is None or run.region in self.regions)
        )


@dataclass(frozen=True, slots=True)
class RunPage:
    """The rows to tell, and the places where the next and the previous page begin."""

    runs: list[Run]
    next: Place | None
    previous: Place | None


def _older(world: World, wanted: RunFilter, seen_at: Instant, below: Place | None) -> Iterator[Place]:
    """Candidates, newest first, from just below `below`."""
    index = world.index
    if wanted.newest is not None:
        cap: Place = (wanted.newest + 1, "")
        below = cap if below is None else min(below, cap)
    if wanted.batch is not None:
        batch = world.batches.get(wanted.batch)
        own = sorted(
            (index.runs[key].created_at, key) for key in (batch.run_keys if batch else ()) if key in index.runs
        )
        return descend(own, below, wanted.oldest)
    if wanted.schedule is not None:
        schedule = world.schedules.get(wanted.schedule)
        keys = schedule.run_keys if schedule else []
        return descend(
            sorted((index.runs[key].created_at, key) for key in keys if key in index.runs), below, wanted.oldest
        )
    if wanted.statuses is not None:
        lag = seen_at if seen_at < world.now else None
        return index.with_status(wanted.statuses, seen_at=lag, below=below, oldest=wanted.oldest)
    return descend(index.order, below, wanted.oldest)


def page_after(
    world: World, wanted: RunFilter, size: int, below: Place | None, seen_at: Instant, *, deeper: bool
) -> RunPage:
    """The page of older runs below `below`; without it, the newest. `deeper`: a cursor was sent, be it garbage."""
    places = (p for p in _older(world, wanted, seen_at, below) if wanted.admits(world.runs[p[1]], seen_at))
    chosen = list(islice(places, size + 1))
    shown = chosen[:size]
    return RunPage(
        _hydrate(world, wanted, shown),
        next=shown[-1] if len(chosen) > size else None,
        previous=shown[0] if deeper and shown else None,
    )


def page_before(
    world: World, wanted: RunFilter, size: int, above: Place, seen_at: Instant, *, ascending: bool
) -> RunPage:
    """The page of newer runs above `above`, nearest first."""
    upper = (p for p in ascend(world.index.order, above) if wanted.newest is None or p[0] <= wanted.newest)
    places = (
        p
        for p in upper
        if (wanted.oldest is None or p[0] >= wanted.oldest) and wanted.admits(world.runs[p[1]], seen_at)
    )
    chosen = list(islice(places, size + 1))
    shown = chosen[:size]
    rows = _hydrate(world, wanted, shown if ascending else shown[::-1])
    return RunPage(rows, next=shown[0] if shown else None, previous=shown[-1] if len(chosen) > size else None)


def page_by_id(world: World, wanted: RunFilter, size: int, after: str | None, seen_at: Instant) -> RunPage:
    """v4.4: the cursor is an id, the order is createdAt, and the rows come sorted by id."""
    places = (
        p
        for p in _older(world, wanted, seen_at, None)
        if (after is None or p[1] < after) and wanted.admits(world.runs[p[1]], seen_at)
    )
    chosen = list(islice(places, size + 1))
    shown = chosen[:size]
    rows = _hydrate(world, wanted, sorted(shown, key=lambda place: place[1], reverse=True))
    return RunPage(
        rows,
        next=shown[-1] if len(chosen) > size else None,
        previous=shown[0] if after is not None and shown else None,
    )


def _hydrate(world: World, wanted: RunFilter, places: list[Place]) -> list[Run]:
    """The rows as they are now, less those that have left the statuses asked for."""
    rows = [world.runs[key] for _, key in places]
    return rows if wanted.statuses is None else [run for run in rows if run.status in wanted.statuses]


def write_cursor(place: Place) -> str:
    """The cursor of v4.5: base64url of createdAt and internal id."""
    raw = msgspec.json.encode({"c": place[0], "r": place[1]})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(text: str) -> Place | None:
    """The place that a cursor names; ``None`` for garbage, which the server does not refuse."""
    try:
        raw = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(raw, dict) or not isinstance(raw.get("c"), int) or not isinstance(raw.get("r"), str):
        return None
    return raw["c"], raw["r"]
