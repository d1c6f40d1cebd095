"""Which strips of cells the loaded rules need, and how far back. Pure."""

from __future__ import annotations

from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.rules.model import RuleSet
from triggerdev_alerts.signals import CELL, LONG_CELL, LONG_WINDOW, Question
from triggerdev_exporter.clock import DAY, MINUTE
from triggerdev_exporter.ledger.strips import DIMENSIONS, Family, Needs, Strip

SLACK = 10 * MINUTE
"""Cells are kept so much longer than the windows: evaluations are late, clocks differ."""
TYPICAL_QUANTILE, TYPICAL_WINDOW = 0.99, DAY
"""A run is slow against that percentile of its task's durations in that time."""

FAMILIES: dict[str, Family] = {
    "runs_finished": Family.FINISHED,
    "runs_triggered": Family.TRIGGERED,
    "run_cost": Family.COST,
    "run_duration": Family.DURATION,
    "run_wait": Family.WAIT,
    "batch_items": Family.BATCHES,
    "batch_items_failed": Family.BATCHES,
}
"""Signal → what must be kept for it."""


def needs_of(ruleset: RuleSet) -> Needs:
    """What all enabled rules ask of windows: by strip, the furthest that any of them reaches back, in milliseconds."""
    needs: dict[Strip, int] = {}
    for group in ruleset.groups:
        for rule in group.rules:
            if not rule.enabled:
                continue
            for ask in CONDITIONS[rule.when.type].asks(rule.when):
                found = need_of(ask.question)
                if found is not None:
                    strip, reach = found
                    needs[strip] = max(needs.get(strip, 0), reach + group.query_delay + SLACK)
    return needs


def need_of(question: Question) -> tuple[Strip, int] | None:
    """The strip that answers a question, and how far back; ``None`` where the ledger's facts do."""
    if question.signal == "runs_slow":
        return typical(include_test=question.where.include_test), TYPICAL_WINDOW
    family = FAMILIES.get(question.signal)
    if family is None:
        return None
    window = question.window or 0
    where = question.where
    width = CELL if window <= LONG_WINDOW else LONG_CELL
    if family is Family.BATCHES:
        return Strip(family, (), width), window + question.ago
    narrowed = {"task": where.task, "queue": where.queue, "version": where.version, "tag": ()}
    dimensions = tuple(name for name in DIMENSIONS if name in question.by or narrowed[name])
    strip = Strip(family, dimensions, width, tags=tuple(sorted(where.tag)), tests=where.include_test)
    return strip, window + question.ago


def typical(*, include_test: bool) -> Strip:
    """The durations of each task that "usual" is taken from."""
    return Strip(Family.DURATION, ("task",), LONG_CELL, tests=include_test)
