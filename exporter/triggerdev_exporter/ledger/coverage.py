"""Which created-at time of runs is read and what is still missing: intervals, walks and gaps. Pure.

A *walk* goes from the newest run downwards to a floor. Each page it reads is committed together with the walk's
remaining gap, so that a failed page leaves the gap open, a kill resumes it, and a catch-up of any length needs no
memory. The end of a gap is never sent to the server: the cursor stands for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from triggerdev_exporter.clock import HOUR, MINUTE, Instant
from triggerdev_exporter.ledger.facts import Coverage, Gap

MIN_OVERLAP = MINUTE
MAX_OVERLAP = HOUR
SWEEP_EVERY = HOUR
SWEEP_DEPTH = 6 * HOUR
EARLIEST: Instant = 1
"""``from`` for "all of time"; 0 would read as absent in some servers."""


@dataclass(frozen=True, slots=True)
class Walk:
    """A reading from the newest run, or from `cursor`, down to `floor`."""

    floor: Instant
    cursor: str | None = None
    gap: Gap | None = None
    """The gap that this walk closes; ``None`` while a head walk has read nothing."""
    sweep: bool = False


def begin(birth: Instant, lookback: int) -> Coverage:
    """Nothing read yet: the walk that follows goes back `lookback` milliseconds before birth."""
    return Coverage(tail=birth - lookback, has_strips=True)


def floor(coverage: Coverage, now: Instant) -> Instant:
    """How far down a head walk goes: never closer than the overlap behind the newest run and the server's clock."""
    if coverage.newest is None:
        # Also when it was read and found empty: it may have been the list that was blank, and none costs no page.
        return coverage.tail
    newest = min(coverage.newest, now)
    if coverage.walked_at:
        newest = min(newest, coverage.walked_at)
    return newest - coverage.overlap


def head_walk(coverage: Coverage, now: Instant) -> Walk:
    """The walk with which every tick begins."""
    return Walk(floor(coverage, now))


def gap_walk(gap: Gap) -> Walk:
    """Go on where a gap was left."""
    return Walk(gap.start, gap.cursor, gap)


def sweep_walk(coverage: Coverage, now: Instant) -> Walk | None:
    """The slow re-reading of the last hours: the one under way, or a new one when it is due."""
    if coverage.sweep is not None:
        return Walk(coverage.sweep.start, coverage.sweep.cursor, coverage.sweep, sweep=True)
    if coverage.looked_back and not coverage.gaps and now - coverage.swept_at >= SWEEP_EVERY:
        # Also after hours in which nobody swept: what was created before them may have become visible in them.
        start = max(min(now, coverage.swept_at + SWEEP_EVERY) - SWEEP_DEPTH, coverage.tail)
        return Walk(start, None, Gap(start=start, end=now, since=now), sweep=True)
    return None


def after_page(
    coverage: Coverage,
    walk: Walk,
    *,
    oldest: Instant | None,
    newest: Instant | None,
    cursor: str | None,
    now: Instant,
) -> tuple[Coverage, Walk | None]:
    """Coverage once a page of `walk` is counted, and how the walk goes on (``None``: it is complete).

    `oldest` and `newest` are the page's createdAt bounds (``None`` for an empty page), `cursor` what the page gave for
    the next one.
    """
    if walk.gap is not None:
        end = walk.gap.end if oldest is None else min(walk.gap.end, oldest)
    else:
        # Not "now": a page may hold nothing but scheduled runs whose createdAt is still to come.
        end = now if oldest is None else oldest
    since = walk.gap.since if walk.gap is not None else now
    read_to = walk.gap.read_to if walk.gap is not None else coverage.walked_at
    rest = None
    if cursor is not None:
        rest = Gap(start=walk.floor, end=max(end, walk.floor), since=since, cursor=cursor, read_to=read_to)
    going_on = None if rest is None else Walk(walk.floor, cursor, rest, walk.sweep)

    changes: dict[str, object] = {}
    if newest is not None and (coverage.newest is None or newest > coverage.newest):
        changes["newest"] = newest
    if walk.sweep:
        changes["sweep"] = rest
        if rest is None:
            changes["swept_at"] = now
    else:
        if walk.gap is None:
            changes["walked_at"] = now
        gaps = _replace(coverage.gaps, walk.gap, rest)
        changes["gaps"] = gaps
        # United with an older gap below it, the walk goes on through both; swallowed by one above, it is that one's.
        stored = next(
            (gap for gap in gaps if rest is not None and (gap.cursor, gap.end) == (rest.cursor, rest.end)), None
        )
        going_on = None if stored is None else gap_walk(stored)
        if not gaps and not coverage.looked_back:
            changes |= {"looked_back": True, "swept_at": now}
    return msgspec.structs.replace(coverage, **changes), going_on


def _replace(gaps: tuple[Gap, ...], old: Gap | None, new: Gap | None) -> tuple[Gap, ...]:
    kept = [gap for gap in gaps if gap != old]
    if new is not None:
        kept.append(new)
    return _united(kept)


def _united(gaps: list[Gap]) -> tuple[Gap, ...]:
    """Gaps newest first; one that reaches into the next is one with it, and goes on from the upper cursor."""
    united: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.end, reverse=True):
        if united and gap.end >= united[-1].start:
            upper = united[-1]
            united[-1] = msgspec.structs.replace(
                upper,
                start=min(upper.start, gap.start),
                since=min(upper.since, gap.since),
                read_to=min(upper.read_to, gap.read_to),
            )
        else:
            united.append(gap)
    return tuple(united)


def without_cursor(coverage: Coverage, gap: Gap, now: Instant) -> Coverage:
    """The server no longer understands this gap's cursor: the gap is read again from the newest run down."""
    if coverage.sweep == gap:
        return msgspec.structs.replace(coverage, sweep=None, swept_at=now)
    again = msgspec.structs.replace(gap, cursor=None, end=now)
    return msgspec.structs.replace(coverage, gaps=_replace(coverage.gaps, gap, again))


def is_covered(coverage: Coverage, at: Instant) -> bool:
    """Whether created-at time `at` was read before."""
    if not coverage.tail <= at <= coverage.walked_at:
        return False
    return not any(gap.start <= at <= gap.end for gap in coverage.gaps)


def unread(coverage: Coverage) -> list[tuple[Instant, Instant]]:
    """Created-at time that nobody has read yet, as (after, until]; what is only read once more is not in it."""
    spans = [(max(gap.start - 1, gap.read_to), gap.end) for gap in coverage.gaps]
    return [(after, until) for after, until in spans if after < until]


def read_until(coverage: Coverage) -> Instant:
    """Everything created from the tail up to here has been read at least once."""
    return min([coverage.walked_at, *(after for after, _ in unread(coverage))])


def complete_until(coverage: Coverage) -> Instant:
    """Everything created from the tail up to here has been read."""
    return min([coverage.walked_at, *(gap.start for gap in coverage.gaps)])


def catching_up(coverage: Coverage, interval: int, now: Instant) -> bool:
    """Whether a gap is older than two intervals (milliseconds)."""
    return any(now - gap.since > 2 * interval for gap in coverage.gaps)


def adapted_overlap(coverage: Coverage, lateness: int) -> int:
    """The overlap after rows were seen `lateness` milliseconds late: twice that, within bounds; it shrinks slowly."""
    wanted = min(max(2 * lateness, MIN_OVERLAP), MAX_OVERLAP)
    return wanted if wanted >= coverage.overlap else max(wanted, coverage.overlap * 9 // 10)
