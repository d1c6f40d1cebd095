"""A tree of runs as lines of text: who began whom, and what waited and worked when, on one time axis. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from triggerdev_alerts.message.values import show_duration
from triggerdev_exporter.clock import MINUTE, SECOND, Instant, iso
from triggerdev_exporter.records import Family, Run
from triggerdev_exporter.statuses import OPEN, RunStatus

DELAYED, WAITING, WORKING, GOES_ON, EMPTY = "·", "░", "█", "›", " "
LEGEND = f"{DELAYED} delayed   {WAITING} waiting   {WORKING} executing   {GOES_ON} goes on"
_NARROWEST, _WIDEST_LABEL = 20, 40


class Row(NamedTuple):
    """One run, and how it hangs in the tree."""

    label: str
    run: Run


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that all bars share."""

    start: Instant
    end: Instant
    width: int

    def cell(self, at: Instant) -> int:
        return round((at - self.start) / max(1, self.end - self.start) * self.width)


def rows(families: Mapping[str, Family], root_id: str) -> list[Row]:
    """The runs below `root_id` that are known, each parent before its children, oldest first."""
    return list(_below(families, root_id, "", "", frozenset()))


def _below(families: Mapping[str, Family], run_id: str, head: str, indent: str, above: frozenset[str]) -> Iterator[Row]:
    family = families.get(run_id)
    if family is None or run_id in above:
        return
    yield Row(f"{head}{family.run.task}", family.run)
    known = [child for child in family.children if child in families]
    known.sort(key=lambda child: (families[child].run.created_at, child))
    for number, child in enumerate(known, 1):
        is_last = number == len(known)
        yield from _below(
            families,
            child,
            f"{indent}{'└ ' if is_last else '├ '}",
            f"{indent}{'  ' if is_last else '│ '}",
            above | {run_id},
        )


def draw(found: Sequence[Row], asked: str, *, now: Instant, width: int) -> list[str]:
    """`found` as lines of at most `width` characters, if that is wide enough; the run `asked` for is marked."""
    labels = [_cut(row.label) for row in found]
    tails = [_tail(row.run, asked, now) for row in found]
    beside = max(map(len, labels)) + max(map(len, tails)) + 4
    axis = _axis([row.run for row in found], now, max(_NARROWEST, width - beside))
    left = max(map(len, labels))
    span = f"+{_lasting(axis.end - axis.start)}"
    # The time of day; the legend has the date.
    ruler = iso(axis.start)[11:23].ljust(axis.width - len(span)) + span
    lines = [f"{'':{left}}  {ruler}"]
    for label, row, tail in zip(labels, found, tails, strict=True):
        lines.append(f"{label:{left}}  {_bar(row.run, axis, now)}  {tail}".rstrip())
    return [*lines, "", f"{LEGEND}   from {iso(axis.start)}"]


def _axis(runs: Sequence[Run], now: Instant, width: int) -> Axis:
    start = min(min(run.created_at, run.started_at or run.created_at) for run in runs)
    return Axis(start, max(start + 1, *(_end(run, now) for run in runs)), width)


def _end(run: Run, now: Instant) -> Instant:
    if run.status in OPEN:
        return max(now, run.created_at)
    return run.finished_at or run.updated_at or run.created_at


def _bar(run: Run, axis: Axis, now: Instant) -> str:
    cells = [EMPTY] * axis.width
    end = _end(run, now)
    begun = end if run.started_at is None else min(run.started_at, end)
    ready = min(max(run.created_at, run.delayed_until or 0), begun)
    # What is drawn later wins a cell that both would have: a short execution shows.
    parts = [(DELAYED, run.created_at, ready), (WAITING, ready, begun), (WORKING, begun, end)]
    for sign, start, stop in parts:
        if stop > start or (sign == WORKING and run.started_at is not None):
            first = min(axis.cell(start), axis.width - 1)
            cells[first : max(axis.cell(stop), first + 1)] = [sign] * max(1, axis.cell(stop) - first)
    if run.status in OPEN:
        cells[-1] = GOES_ON
    return "".join(cells)


def _tail(run: Run, asked: str, now: Instant) -> str:
    mark = "  ◀" if run.id == asked else ""
    return f"{run.status.value:<9}  {_times(run, now):<32}  {run.id}{mark}"


def _times(run: Run, now: Instant) -> str:
    end, is_open = _end(run, now), run.status in OPEN
    ready = max(run.created_at, run.delayed_until or 0)
    if run.started_at is None:
        if run.status is RunStatus.DELAYED:
            return f"delayed for {_lasting(ready - now)} more"
        return f"{'waiting for' if is_open else 'never started, waited'} {_lasting(end - ready)}"
    waited, took = _lasting(run.started_at - ready), _lasting(end - run.started_at)
    return f"waited {waited}, {f'executing for {took}' if is_open else f'took {took}'}"


def _lasting(millis: int) -> str:
    """As messages show it, but to a tenth of a second while that matters."""
    return f"{millis / SECOND:.1f} s" if SECOND <= millis < MINUTE else show_duration(max(0, millis))


def _cut(label: str) -> str:
    return label if len(label) <= _WIDEST_LABEL else label[: _WIDEST_LABEL - 1] + "…"
