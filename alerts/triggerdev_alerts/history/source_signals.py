"""What a story says of the source itself: outages, quota, clocks. Each function is one row of `signals.SIGNALS`.

Every collector looks at multiples of the story's interval since its start, and whenever a rule is evaluated: the age of
what it knows counts from its last look that went well.
"""

from __future__ import annotations

from triggerdev_alerts.history.story import COLLECTORS, Level, Outage, Story, TargetStory
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.signals import Blind, Key, Question, Readings

# A look that reads too little, or finds what is not there at all, is no failed look.
_LOOKED = (Blind.CATCHING_UP, Blind.UNSUPPORTED)
ANY = ("", "any")


def outage_at(target: TargetStory, collector: str, at: Instant) -> Outage | None:
    return next((outage for outage in target.outages if outage.covers(at, collector)), None)


def view_lag(_: Story, target: TargetStory, __: Question, at: Instant) -> Readings:
    return _level(target.view_lag, at)


def quota_remaining(_: Story, target: TargetStory, __: Question, at: Instant) -> Readings:
    return _level(target.quota, at)


def clock_skew(_: Story, target: TargetStory, __: Question, at: Instant) -> Readings:
    return _level(target.skew, at)


def collector_age(story: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    """0 for a collector that can look now. Without `collector` in `by`, the oldest. An unsupported one has no age."""
    values: dict[Key, float] = {}
    for collector in COLLECTORS:
        outage = outage_at(target, collector, at)
        if outage is not None and outage.reason is Blind.UNSUPPORTED:
            continue
        failing = "" if outage is None or outage.reason in _LOOKED else outage.reason.value
        if question.reason not in ANY and failing != question.reason:
            continue
        key = (collector,) if question.by else ()
        age = at - _last_look(story, target, collector, at) if failing else 0
        values[key] = max(values.get(key, 0.0), float(age))
    return Readings(values)


def collector_interval(story: Story, target: TargetStory, question: Question, at: Instant) -> Readings:
    supported = [
        collector
        for collector in COLLECTORS
        if (outage := outage_at(target, collector, at)) is None or outage.reason is not Blind.UNSUPPORTED
    ]
    return Readings({(collector,) if question.by else (): float(story.poll) for collector in supported})


def _last_look(story: Story, target: TargetStory, collector: str, at: Instant) -> Instant:
    """The last look at or before `at` that went well; one interval before the start if there was none."""
    look = at - (at - story.start) % story.poll
    while look >= story.start:
        outage = outage_at(target, collector, look)
        if outage is None or outage.reason in _LOOKED:
            return look
        look -= story.poll
    return story.start - story.poll


def _level(levels: tuple[Level, ...], at: Instant) -> Readings:
    seen = [level for level in levels if level.at <= at]
    latest = max(seen, key=lambda level: level.at, default=None)
    return Readings({} if latest is None or latest.value is None else {(): float(latest.value)})
