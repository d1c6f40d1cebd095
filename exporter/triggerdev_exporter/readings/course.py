"""How a task's runs ended in the last hours, bar by bar: what the pages draw. Pure.

The cells are those of a strip of its own, kept beside those of the rules, so that a page shows the same hours whatever
rules are loaded. A bar of which nobody can say what happened in it is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triggerdev_exporter.clock import HOUR, MINUTE, Instant
from triggerdev_exporter.ledger import coverage as cover
from triggerdev_exporter.ledger.ledger import Ledger
from triggerdev_exporter.ledger.strips import ENDED, Family, Needs, Strip, Trail
from triggerdev_exporter.statuses import OUTCOMES, Outcome, RunStatus

BAR, BARS = 5 * MINUTE, 36
COURSE = Strip(Family.FINISHED, ("task",), BAR)
REACH = BAR * BARS + HOUR // 2
"""A bit more, since the last bar is not over and clocks differ."""

_FAILURES = tuple(place for place, status in enumerate(ENDED) if OUTCOMES[RunStatus(status)] is Outcome.FAILURE)
_ALL = tuple(range(len(ENDED)))


@dataclass(frozen=True, slots=True)
class Bar:
    """What ended in one span of time."""

    ended: int
    failed: int


def with_course(needs: Needs) -> Needs:
    """What rules need, and what the pages need."""
    return {**needs, COURSE: max(REACH, needs.get(COURSE, 0))}


@dataclass(frozen=True, slots=True)
class Span:
    """The bars that are drawn at an instant, by the numbers of their cells, and which of them can be told."""

    last: int
    told: tuple[bool, ...]


def span_of(ledger: Ledger, at: Instant) -> Span:
    """The bars up to `at` (server time). One is told if somebody has read all of it that is over."""
    last = COURSE.cell(at)
    kept = ledger.kept_strips.get(COURSE.key)
    coverage = ledger.coverage
    if kept is None or coverage is None:
        return Span(last, (False,) * BARS)
    unread = cover.unread(coverage)
    told = []
    for cell in range(last - BARS + 1, last + 1):
        begins, ends = (cell - 1) * BAR, cell * BAR
        # A run may end long after it was created, but never before: what is unread may end in any later bar.
        open_ = any(after < ends for after, _ in unread)
        told.append(begins >= kept.since and begins < coverage.walked_at and not open_)
    return Span(last, tuple(told))


def course(ledger: Ledger, span: Span, task: str) -> tuple[Bar | None, ...]:
    """The bars of one task, the oldest first."""
    return _bars(ledger.strips.trails(COURSE).get((task,)), span)


def _bars(trail: Trail | None, span: Span) -> tuple[Bar | None, ...]:
    bars: list[Bar | None] = []
    for place, told in enumerate(span.told):
        cell = span.last - BARS + 1 + place
        if not told:
            bars.append(None)
        elif trail is None:
            bars.append(Bar(0, 0))
        else:
            bars.append(Bar(ended_between(trail, cell - 1, cell), failed_between(trail, cell - 1, cell)))
    return tuple(bars)


def newest_bars(trail: Trail, span: Span) -> list[Bar]:
    """Those that `lately` looks at, told or not."""
    cells = range(span.last - LATELY + 1, span.last + 1)
    return [Bar(ended_between(trail, cell - 1, cell), failed_between(trail, cell - 1, cell)) for cell in cells]


def ended_between(trail: Trail, after: int, until: int) -> int:
    """How many runs ended in the cells (after, until]."""
    return trail.between(after, until, _ALL)


def failed_between(trail: Trail, after: int, until: int) -> int:
    return trail.between(after, until, _FAILURES)


LATELY = 3
"""Bars that say how a task does now."""
ENOUGH = 10
"""Runs that are enough to look at fewer bars: what began a minute ago must not drown in what was before."""


@dataclass(frozen=True, slots=True)
class Lately:
    """How a task does now: what ended in the last so many minutes."""

    ended: int
    failed: int
    minutes: int


def lately(bars: Sequence[Bar | None]) -> Lately | None:
    """The latest bars together, or the newest of them where more of its runs fail; ``None`` if one cannot be told."""
    told = [bar for bar in bars[-LATELY:] if bar is not None]
    if len(told) < LATELY:
        return None
    found: list[Lately] = []
    ended = failed = 0
    for number, bar in enumerate(reversed(told), start=1):
        ended, failed = ended + bar.ended, failed + bar.failed
        if ended >= ENOUGH or number == LATELY:
            found.append(Lately(ended, failed, number * BAR // MINUTE))
    return max(found, key=lambda one: (one.failed / max(one.ended, 1), one.minutes))
