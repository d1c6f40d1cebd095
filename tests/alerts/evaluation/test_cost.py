"""What evaluating costs, against walking over the same readings in the same run. Prints microseconds a series.

1,000 rules × 1,000 series a tick are the goal: under a quarter of a minute, so at most 15 µs a series.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest

from evaluation_stage import NOON, Told, condition, depth_rule
from triggerdev_alerts.book import Book, Draft
from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.evaluation.evaluator import Cache, evaluate
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.rules.model import Group, Rule
from triggerdev_alerts.signals import SUCCESSES, Answer, Key, Question, Readings

SERIES = 1000
ROUNDS = 40
GROUP = Group("queues", ())
KEYS: list[Key] = [(f"task-{number}",) for number in range(SERIES)]


class Full(Told):
    """A thousand series, none of which meets the condition."""

    def __init__(self) -> None:
        super().__init__(prod={})
        self.healthy = Readings(dict.fromkeys(KEYS, 1.0))
        self.successes = Readings(dict.fromkeys(KEYS, 100.0))

    def read(self, question: Question, target: str, at: Instant) -> Answer:
        if question.signal == "queue_paused":
            return Readings({})
        return self.successes if question.statuses == SUCCESSES else self.healthy


def quickest(work: Callable[[], object]) -> float:
    """Seconds of CPU, the least of some rounds: what else runs on the machine only ever adds."""
    best = float("inf")
    for _ in range(5):
        began = process_time()
        for _ in range(ROUNDS // 5):
            work()
        best = min(best, (process_time() - began) / (ROUNDS // 5))
    return best


def walk(signals: Full) -> int:
    """The least that anybody must do: look at each number of two answers and compare them."""
    return sum(
        signals.healthy.values[key] / (signals.healthy.values[key] + good) > 0.1
        for key, good in signals.successes.values.items()
    )


@pytest.mark.parametrize(
    "when",
    [condition("failure_rate", window=15 * MINUTE, above=0.1), condition("queue_depth", above=500)],
    ids=lambda when: when.type,
)
def test_a_healthy_series_costs_little_more_than_looking_at_it(when: Condition) -> None:
    signals, rule, book = Full(), depth_rule(when=when), Book()

    def once() -> None:
        cache: Cache = {}
        evaluate(Draft(book), GROUP, rule, signals, owners=(), at=NOON, elapsed=MINUTE, cache=cache)

    floor, cost = quickest(lambda: walk(signals)), quickest(once)
    print(f"\n{when.type}: {cost / SERIES * 1e6:.2f} µs a series, {cost / floor:.0f} × a walk")

    assert cost < 60 * floor


def test_a_firing_series_costs_no_more_than_some_healthy_ones() -> None:
    signals, book = Full(), Book()
    healthy = replace(depth_rule(when=condition("queue_depth", above=500)), name="Other")
    firing = depth_rule(when=condition("queue_depth", above=0), max_series=SERIES, for_=0)
    draft = Draft(book)
    evaluate(draft, GROUP, firing, signals, owners=(), at=NOON, elapsed=0, cache={})
    book.absorb(draft.changes)
    assert len(book.alerts) == SERIES

    def once(rule: Rule) -> Callable[[], object]:
        return lambda: evaluate(
            Draft(book),
            GROUP,
            rule,
            signals,
            owners=(),
            at=NOON + MINUTE,
            elapsed=MINUTE,
            cache={},
        )

    quiet, loud = quickest(once(healthy)), quickest(once(firing))
    print(f"\nfiring: {loud / SERIES * 1e6:.2f} µs a series, {loud / quiet:.0f} × a healthy one")

    assert loud < 40 * quiet
