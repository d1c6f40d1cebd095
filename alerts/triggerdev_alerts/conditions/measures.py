"""From answers to one `Measure` a series. Every function is ``(condition, readings) -> {key: measure}`` and pure.

The readings come in the order of the row's questions. An optional question that was not answered is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.signals import Key, Readings


class Measure(NamedTuple):
    """What a condition says of one series."""

    value: float
    threshold: float
    holds: bool
    in_band: bool = False
    """Does not hold, but has not come below ``clear_below`` either."""
    sample: int | None = None
    """Of how many runs the value was made; ``None`` where that means nothing."""
    enough: bool = True
    """Whether the sample is large enough to say anything."""


Measures = dict[Key, Measure]


def _clear(condition: Condition) -> float | None:
    value = condition.values.get("clear_below")
    return None if value is None else float(value)  # type: ignore[arg-type]  # a number, by its row


def _over(condition: Condition, value: float, threshold: float, sample: int | None = None) -> Measure:
    """Strictly more than the threshold holds; a ``clear_below`` opens the band beneath it."""
    clear = _clear(condition)
    holds = value > threshold
    return Measure(value, threshold, holds, clear is not None and not holds and value >= clear, sample)


def _grown(condition: Condition, value: float, before: float, floor: float) -> bool:
    """Whether ``vs_previous`` agrees: not written, or that many times a previous value that reaches `floor`."""
    times = condition.values.get("vs_previous")
    return times is None or (before >= floor and value > float(times) * before)  # type: ignore[arg-type]


def failure_rate(condition: Condition, readings: Sequence[Readings]) -> Measures:
    failed, succeeded, *previous = readings
    above, least = condition.number("above"), condition.number("min_sample")
    found: Measures = {}
    for key in succeeded.values.keys() | failed.values.keys():
        bad = failed.values.get(key, 0)
        sample = int(bad + succeeded.values.get(key, 0))
        rate = bad / sample if sample else 0.0
        measure = _over(condition, rate, above, sample)
        if sample < least:
            measure = measure._replace(holds=False, enough=False)
        elif measure.holds and previous:
            bad_before = previous[0].values.get(key, 0)
            before = bad_before + previous[1].values.get(key, 0)
            enough = before >= least
            measure = measure._replace(
                holds=enough and _grown(condition, rate, bad_before / before if before else 0.0, 0.0), enough=enough
            )
        found[key] = measure
    return found


def counted(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """A number of the window above a threshold: failures, cost."""
    now, *previous = readings
    above = condition.number("above")
    found: Measures = {}
    for key, value in now.values.items():
        measure = _over(condition, value, above)
        if measure.holds and previous:
            measure = measure._replace(holds=_grown(condition, value, previous[0].values.get(key, 0), _ANY))
        found[key] = measure
    return found


#: A previous window with nothing in it is no base for a comparison.
_ANY = 1e-9


def consecutive_failures(condition: Condition, readings: Sequence[Readings]) -> Measures:
    streaks, scheduled = readings
    above, above_scheduled = condition.number("above"), condition.number("above_scheduled")
    return {
        key: _over(condition, value, above_scheduled if key in scheduled.values else above)
        for key, value in streaks.values.items()
    }


def age(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """Older than ``older_than``."""
    threshold = condition.number("older_than")
    return {key: _over(condition, value, threshold) for key, value in readings[0].values.items()}


def level(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """Above ``above``: ages of queues, lags, counts as of now."""
    threshold = condition.number("above")
    return {key: _over(condition, value, threshold) for key, value in readings[0].values.items()}


def some(_: Condition, readings: Sequence[Readings]) -> Measures:
    """More than none."""
    return {key: Measure(value, 0, value > 0) for key, value in readings[0].values.items()}


def percentile(condition: Condition, readings: Sequence[Readings]) -> Measures:
    threshold, least = condition.number("above"), condition.number("min_sample")
    found: Measures = {}
    for key, value in readings[0].values.items():
        sample = readings[0].samples.get(key, 0)
        measure = _over(condition, value, threshold, sample)
        found[key] = measure if sample >= least else measure._replace(holds=False, enough=False)
    return found


def no_runs(condition: Condition, readings: Sequence[Readings]) -> Measures:
    now, before = readings
    least = condition.number("min_before")
    return {
        key: Measure(now.values.get(key, 0), 0, now.values.get(key, 0) == 0 and value >= least, sample=int(value))
        for key, value in before.values.items()
    }


def spike(condition: Condition, readings: Sequence[Readings]) -> Measures:
    now, before = readings
    times, floor = condition.number("times"), condition.number("floor")
    found: Measures = {}
    for key, value in now.values.items():
        threshold = max(floor, times * before.values.get(key, 0))
        found[key] = Measure(value, threshold, value > threshold)
    return found


def expired(condition: Condition, readings: Sequence[Readings]) -> Measures:
    gone, others, *previous = readings
    above, floor = condition.values["above"], condition.number("floor")
    found: Measures = {}
    for key, value in gone.values.items():
        ended = int(value + others.values.get(key, 0))
        shown = value / ended if isinstance(above, float) and ended else value
        measure = _over(condition, shown, float(above), ended)  # type: ignore[arg-type]  # a number, by its row
        if measure.holds:
            grown = not previous or _grown(condition, value, previous[0].values.get(key, 0), _ANY)
            measure = measure._replace(holds=value >= floor and grown)
        found[key] = measure
    return found


def level_unless_paused(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """Above ``above``; what waits in a queue that somebody paused is `queue_paused`'s to tell."""
    values, paused = readings
    # Of a whole target the values are already of those alone that are not paused.
    skip = bool(condition.values["ignore_paused"] and condition.by)
    found = level(condition, (values,))
    for key, measure in found.items():
        if skip and paused.values.get(key):
            found[key] = measure._replace(holds=False, in_band=False)
    return found


def queue_stalled(condition: Condition, readings: Sequence[Readings]) -> Measures:
    depth, running, paused = readings
    stopped = paused.values if condition.by else {}
    return {
        key: Measure(value, 0, value > 0 and not running.values.get(key) and not stopped.get(key))
        for key, value in depth.values.items()
    }


def queue_saturated(condition: Condition, readings: Sequence[Readings]) -> Measures:
    depth, running, limits = readings
    threshold = condition.number("above")
    found: Measures = {}
    for key, waiting in depth.values.items():
        limit = limits.values.get(key)
        use = running.values.get(key, 0) / limit if limit else 0.0
        found[key] = Measure(use, threshold, waiting > 0 and bool(limit) and use >= threshold)
    return found


def queue_paused(_: Condition, readings: Sequence[Readings]) -> Measures:
    depth, paused = readings
    return {key: Measure(value, 0, value > 0 and bool(paused.values.get(key))) for key, value in depth.values.items()}


def batch_failures(condition: Condition, readings: Sequence[Readings]) -> Measures:
    failed, items = readings
    threshold = condition.number("failed_items_above")
    found: Measures = {}
    for key, total in items.values.items():
        share = failed.values.get(key, 0) / total if total else 0.0
        found[key] = _over(condition, share, threshold, int(total))
    return found


def missed(condition: Condition, readings: Sequence[Readings]) -> Measures:
    slots, missing = readings
    least = condition.number("consecutive")
    # If no schedule at all was met, the platform is to blame and not this one: `all_schedules_missed` says so, once.
    down = missing.values.get((), 0) >= 1
    return {key: Measure(value, least, value >= least and not down) for key, value in slots.values.items()}


def all_missed(_: Condition, readings: Sequence[Readings]) -> Measures:
    return {key: Measure(value, 1, value >= 1) for key, value in readings[0].values.items()}


def source_down(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """The worst collector of a series against ``older_than``, or against three of its own intervals."""
    ages, intervals = readings
    older_than = condition.values["older_than"]
    worst: Measures = {} if condition.by else {(): Measure(0, 0, False)}
    for collector, value in ages.values.items():
        threshold = 3 * intervals.values.get(collector, 0) if older_than is None else condition.number("older_than")
        measure = Measure(value, threshold, value >= threshold)
        key = collector if condition.by else ()
        known = worst.get(key)
        if known is None or (measure.holds, measure.value - measure.threshold) >= (
            known.holds,
            known.value - known.threshold,
        ):
            worst[key] = measure
    return worst


def below(condition: Condition, readings: Sequence[Readings]) -> Measures:
    threshold = condition.number("below")
    return {key: Measure(value, threshold, value < threshold) for key, value in readings[0].values.items()}


def notifier(condition: Condition, readings: Sequence[Readings]) -> Measures:
    """A receiver that fails for too long, or that has made us give something up: the sample says how often."""
    ages, dead = readings
    threshold = condition.number("older_than")
    return {
        key: Measure(
            ages.values.get(key, 0),
            threshold,
            ages.values.get(key, 0) > threshold or key in dead.values,
            sample=int(dead.values.get(key, 0)),
        )
        for key in ages.values.keys() | dead.values.keys()
    }
