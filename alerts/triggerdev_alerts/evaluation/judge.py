"""From answers to an outcome a series: what one evaluation of a rule says of one target. Pure; asks through `read`.

What an outcome does to an alert is `machine.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.conditions.measures import Measure
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import SELF, Answer, Key, Question, Readings, Unknown


class Judged(NamedTuple):
    """What an evaluation says of one series, and of which numbers."""

    outcome: Outcome
    value: float
    threshold: float
    sample: int | None
    detail: str
    """Why it is neither true nor false, in words; empty otherwise."""


Judgement = dict[Key, Judged] | Unknown
"""By series, or why nothing can be said of the target."""

_NOTHING = Readings({})
_IN_BAND = "not above the threshold, but not below clear_below either"


def judge(rule: Rule, read: Callable[[Question], Answer]) -> Judgement:
    """Ask what the rule's condition wants to know about one target. One question without an answer makes it Unknown.

    An optional question that is Unknown reads as empty, and so does every question of a condition that is itself about
    being blind: that one must be able to speak when nothing else can.
    """
    row = CONDITIONS[rule.when.type]
    readings: list[Readings] = []
    for ask in row.asks(rule.when):
        answer = read(ask.question)
        if isinstance(answer, Unknown):
            if not (ask.optional or row.is_blindness):
                return answer
            answer = _NOTHING
        readings.append(answer)
    return {key: _judged(measure) for key, measure in row.measure(rule.when, readings).items()}


def targets_of(rule: Rule, targets: Iterable[str]) -> tuple[str, ...]:
    """Which of `targets` the rule is about, in their order; only `SELF` for one about alerting itself."""
    if CONDITIONS[rule.when.type].is_self:
        return (SELF,)
    globs = rule.when.targets
    return tuple(target for target in targets if not globs or any(fnmatchcase(target, glob) for glob in globs))


def _judged(measure: Measure) -> Judged:
    value, threshold, holds, in_band, sample, enough = measure
    if not enough:
        return Judged(Outcome.INSUFFICIENT, value, threshold, sample, f"{sample or 0} runs are too few to judge by")
    if holds:
        return Judged(Outcome.TRUE, value, threshold, sample, "")
    if in_band:
        return Judged(Outcome.CLEARING, value, threshold, sample, _IN_BAND)
    return Judged(Outcome.FALSE, value, threshold, sample, "")
