"""What a story says of runs: counts of a window, percentiles, open runs. Each function is one row of `signals.SIGNALS`.

An event belongs to a window if its instant lies in (end − window, end]. The runs of the story that comes in are those
that can be seen; that is decided before.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from triggerdev_alerts.history.story import Story, StoryRun, TargetStory
from triggerdev_alerts.history.thing_signals import sights_at
from triggerdev_alerts.instants import DAY, Instant
from triggerdev_alerts.signals import FAILURES, SUCCESSES, Blind, Key, Question, Readings, Unknown, Where, aligned

_NOT_TOLD = Unknown(Blind.NOT_ENRICHED, "the server did not tell in which queue a run is")

TYPICAL_QUANTILE, TYPICAL_WINDOW = 0.99, DAY
"""A run is slow against that percentile of its task's durations in that time."""


def finished(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    return _counted(target, question, at, lambda run: run.finished if run.ending in question.statuses else None)


def triggered(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    return _counted(target, question, at, lambda run: run.created)


def cost(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    return _gathered(target, question, at, lambda run: run.finished, lambda runs: math.fsum(run.cost for run in runs))


def duration(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    """Of runs that ended in the window and were started, whatever their outcome."""
    return _percentile(
        target,
        question,
        at,
        lambda run: None if run.started is None else run.finished,
        _duration,
    )


def wait(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    """Of runs that started in the window: from when they could have to when they did."""
    return _percentile(
        target, question, at, lambda run: run.started, lambda run: max(0, (run.started or 0) - run.ready)
    )


def consecutive_failures(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    """Failures that ended after the last success; runs that were canceled or expired are neither."""
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    values: dict[Key, float] = {}
    for key, runs in _by_key(question, (run for run in told if run.ended(at))).items():
        last = max((run.finished or 0 for run in runs if run.ending in SUCCESSES), default=-1)
        failures = [run for run in runs if run.ending in FAILURES]
        if failures or last >= 0:
            values[key] = float(sum(1 for run in failures if (run.finished or 0) > last))
    return Readings(values)


def last_success_age(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    successes = (run for run in told if run.ended(at) and run.ending in SUCCESSES)
    return Readings(
        {key: float(at - max(run.finished or 0 for run in runs)) for key, runs in _by_key(question, successes).items()}
    )


def open_older(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    stuck = (
        run for run in told if run.open_status(at) in question.statuses and at - run.since(at) > question.older_than
    )
    return _numbers(_by_key(question, stuck))


def slow(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    """The usual is taken from all runs of the task that ended in the last day, even if the question is narrower."""
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    end = aligned(at, TYPICAL_WINDOW)
    usual: dict[str, list[float]] = defaultdict(list)
    for run in target.runs:
        counts = question.where.include_test or not run.is_test
        if (
            counts
            and run.started is not None
            and run.finished is not None
            and end - TYPICAL_WINDOW < run.finished <= end
        ):
            usual[run.task].append(_duration(run))
    limits = {
        task: max(question.floor, question.times * percentile(values, TYPICAL_QUANTILE))
        for task, values in usual.items()
    }
    crawling = (
        run
        for run in told
        if run.open_status(at) == "EXECUTING" and at - run.since(at) > limits.get(run.task, question.floor)
    )
    return _numbers(_by_key(question, crawling))


def queue_oldest_age(_: Story, target: TargetStory, question: Question, at: Instant) -> Readings | Unknown:
    """From the runs that are QUEUED: a queue without any has no age. Test runs wait like all others."""
    told = _narrowed(target, question, replace(question.where, include_test=True))
    if isinstance(told, Unknown):
        return told
    sights = sights_at(target, at) if question.queues else {}
    left_out = {name for name, sight in sights.items() if not question.is_of(paused=sight.paused)}
    queued = [run for run in told if run.open_status(at) == "QUEUED" and run.queue not in left_out]
    if left_out and any(run.queue is None for run in queued):
        return _NOT_TOLD
    return Readings(
        {key: float(at - min(run.since(at) for run in runs)) for key, runs in _by_key(question, queued).items()}
    )


def percentile(values: Iterable[float], quantile: float) -> float:
    """The smallest value such that at least that share of `values` is not above it. There must be one."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


def fits(where: Where, run: StoryRun) -> bool:
    """Whether a question that is narrowed like that is about the run."""
    return (
        (where.include_test or not run.is_test)
        and _any(where.task, run.task)
        and _any(where.queue, run.queue or "")
        and _any(where.version, run.version)
        and (not where.tag or any(_any(where.tag, tag) for tag in run.tags))
    )


def _any(globs: tuple[str, ...], value: str) -> bool:
    return not globs or any(fnmatchcase(value, glob) for glob in globs)


def _duration(run: StoryRun) -> float:
    return float(max(0, (run.finished or 0) - (run.started or 0)))


def _narrowed(target: TargetStory, question: Question, where: Where | None = None) -> list[StoryRun] | Unknown:
    """The runs that the question is about; Unknown if their queues matter and are not told."""
    asks_queue = "queue" in question.by or question.where.queue
    if asks_queue and any(run.queue is None for run in target.runs):
        return _NOT_TOLD
    return [run for run in target.runs if fits(where or question.where, run)]


def _counted(
    target: TargetStory, question: Question, at: Instant, instant: Callable[[StoryRun], Instant | None]
) -> Readings | Unknown:
    return _gathered(target, question, at, instant, lambda runs: float(len(runs)))


def _gathered(
    target: TargetStory,
    question: Question,
    at: Instant,
    instant: Callable[[StoryRun], Instant | None],
    number: Callable[[list[StoryRun]], float],
) -> Readings | Unknown:
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    grouped = _by_key(question, _in_window(told, question, at, instant))
    return Readings({key: number(runs) for key, runs in grouped.items()})


def _percentile(
    target: TargetStory,
    question: Question,
    at: Instant,
    instant: Callable[[StoryRun], Instant | None],
    millis: Callable[[StoryRun], float],
) -> Readings | Unknown:
    told = _narrowed(target, question)
    if isinstance(told, Unknown):
        return told
    grouped = _by_key(question, _in_window(told, question, at, instant))
    return Readings(
        {key: percentile([millis(run) for run in runs], question.quantile) for key, runs in grouped.items()},
        {key: len(runs) for key, runs in grouped.items()},
    )


def _in_window(
    runs: Iterable[StoryRun], question: Question, at: Instant, instant: Callable[[StoryRun], Instant | None]
) -> Iterator[StoryRun]:
    window = question.window or 0
    end = aligned(at - question.ago, window)
    for run in runs:
        when = instant(run)
        if when is not None and end - window < when <= end:
            yield run


def _numbers(grouped: dict[Key, list[StoryRun]]) -> Readings:
    return Readings({key: float(len(runs)) for key, runs in grouped.items()})


def _by_key(question: Question, runs: Iterable[StoryRun]) -> dict[Key, list[StoryRun]]:
    """Runs by the values of the question's `by`. A run with several tags is in each; one without any is in none."""
    grouped: dict[Key, list[StoryRun]] = defaultdict(list)
    for run in runs:
        keys: list[Key] = [()]
        for dimension in question.by:
            values = run.tags if dimension == "tag" else (_value(run, dimension),)
            keys = [(*key, value) for key in keys for value in values]
        for key in keys:
            grouped[key].append(run)
    return dict(grouped)


def _value(run: StoryRun, dimension: str) -> str:
    match dimension:
        case "task":
            return run.task
        case "queue":
            return run.queue or ""
    return run.version
