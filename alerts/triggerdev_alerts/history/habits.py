"""What tasks and queues of a story usually do: a list of numbers for each, a row a kind of number. Pure.

A number is what a rule would have measured at an instant: the failure rate of a window, the longest gap without a
success. What threshold follows from them is `suggest.py`'s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from triggerdev_alerts.history.run_signals import percentile
from triggerdev_alerts.history.story import StoryRun, TargetStory
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, Instant
from triggerdev_alerts.signals import FAILURES, SUCCESSES

WINDOWS = (15 * MINUTE, HOUR, 6 * HOUR, DAY)
"""The shortest one in which a task has enough runs most of the time is the one to judge it by."""
MIN_SAMPLE = 20
LOOKS = 5 * MINUTE
"""How far apart the instants are at which a window is looked at."""
MIN_LOOKS = 12
"""Of fewer numbers nothing is usual."""
QUANTILE = 0.95
"""Of durations and waits."""


@dataclass(frozen=True, slots=True)
class Span:
    start: Instant
    end: Instant

    def looks(self, window: int = 0, every: int = LOOKS) -> range:
        """Instants whose window lies within the span."""
        return range(self.start + window, self.end + 1, every)


@dataclass(frozen=True, slots=True)
class Habit:
    """The numbers of one task or queue, in no order."""

    subject: str
    """The task or the queue; empty for the whole target."""
    window: int
    """0 where there is none."""
    values: tuple[float, ...]


Event = tuple[Instant, float]
"""When, and what it adds to the number."""


def failure_rates(target: TargetStory, span: Span) -> Iterator[Habit]:
    def events(runs: Iterable[StoryRun]) -> list[Event]:
        judged = (run for run in runs if run.finished is not None and run.ending in (*SUCCESSES, *FAILURES))
        return [(run.finished or 0, float(run.ending in FAILURES)) for run in judged]

    yield from _windowed(target, span, events, lambda failed: sum(failed) / len(failed))


def durations(target: TargetStory, span: Span) -> Iterator[Habit]:
    def events(runs: Iterable[StoryRun]) -> list[Event]:
        ended = ((run.started, run.finished) for run in runs)
        return [(end, float(max(0, end - start))) for start, end in ended if start is not None and end is not None]

    yield from _windowed(target, span, events, lambda values: percentile(values, QUANTILE))


def waits(target: TargetStory, span: Span) -> Iterator[Habit]:
    def events(runs: Iterable[StoryRun]) -> list[Event]:
        return [(run.started, float(max(0, run.started - run.ready))) for run in runs if run.started is not None]

    yield from _windowed(target, span, events, lambda values: percentile(values, QUANTILE))


def gaps(target: TargetStory, span: Span) -> Iterator[Habit]:
    """How long each task went without a success, from one to the next and from the last to the end."""
    for task, runs in _by_task(target):
        ends = sorted(run.finished or 0 for run in runs if run.ending in SUCCESSES and run.ended(span.end))
        within = [end for end in ends if end >= span.start]
        if len(within) > MIN_LOOKS // 2:
            yield Habit(task, 0, tuple(float(later - sooner) for sooner, later in pairwise([*within, span.end])))


def costs(target: TargetStory, span: Span) -> Iterator[Habit]:
    """What all runs of a day cost."""
    events = sorted((run.finished, run.cost) for run in target.runs if run.finished is not None and not run.is_test)
    values = [sum(part) for part in _parts(events, span.looks(DAY, HOUR), DAY)]
    if any(values):
        yield Habit("", DAY, tuple(values))


def depths(target: TargetStory, span: Span) -> Iterator[Habit]:
    """How many runs waited in each queue."""
    sights: dict[str, list[tuple[Instant, int]]] = defaultdict(list)
    for sight in target.queues:
        sights[sight.queue].append((sight.at, sight.depth))
    for queue, seen in sorted(sights.items()):
        seen.sort()
        instants = [at for at, _ in seen]
        found = (bisect_right(instants, look) for look in span.looks())
        yield Habit(queue, 0, tuple(float(seen[n - 1][1]) if n else 0.0 for n in found))


def _windowed(
    target: TargetStory,
    span: Span,
    events: Callable[[Iterable[StoryRun]], list[Event]],
    number: Callable[[Sequence[float]], float],
) -> Iterator[Habit]:
    """Each task in the shortest window that holds enough of its events in most of those that hold any."""
    for task, runs in _by_task(target):
        told = sorted(events(runs))
        for window in WINDOWS:
            parts = [part for part in _parts(told, span.looks(window), window) if part]
            enough = [part for part in parts if len(part) >= MIN_SAMPLE]
            if len(enough) >= MIN_LOOKS and 2 * len(enough) >= len(parts):
                yield Habit(task, window, tuple(number(part) for part in enough))
                break


def _by_task(target: TargetStory) -> list[tuple[str, list[StoryRun]]]:
    tasks: dict[str, list[StoryRun]] = defaultdict(list)
    for run in target.runs:
        if not run.is_test:
            tasks[run.task].append(run)
    return sorted(tasks.items())


def _parts(events: Sequence[Event], looks: Iterable[Instant], window: int) -> Iterator[list[float]]:
    """What lies in (look − window, look], for each look; `events` and `looks` ascend."""
    instants = [at for at, _ in events]
    for look in looks:
        yield [value for _, value in events[bisect_right(instants, look - window) : bisect_right(instants, look)]]
