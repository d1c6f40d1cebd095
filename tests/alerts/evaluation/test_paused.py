"""Paused queues: a rule about a whole target leaves out what is in them, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_stage import NOON, condition, depth_rule
from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.evaluation.judge import judge
from triggerdev_alerts.history.signals import StorySignals
from triggerdev_alerts.history.story import QueueSight, Story, StoryRun, TargetStory
from triggerdev_alerts.instants import MINUTE
from triggerdev_alerts.signals import Unknown

TARGET, QUEUE = (), ("queue",)
T, F = Outcome.TRUE, Outcome.FALSE
Queues = dict[str, str]
"""By name: how many wait, how many run, and ``paused``. Of n that wait the oldest has waited for n minutes."""


def said(when: Condition, queues: Queues) -> dict[str, tuple[Outcome, float]]:
    """Outcome and value of each series; a whole target has no name."""
    sights, runs = [], []
    for name, told in queues.items():
        waiting, running, *paused = told.split()
        depth = int(waiting)
        sights.append(QueueSight(queue=name, at=NOON, depth=depth, running=int(running), paused=bool(paused)))
        since = [NOON - n * MINUTE for n in range(1, depth + 1)]
        runs += [StoryRun(id=f"{name}{at}", task="a", queue=name, created=at, status="QUEUED") for at in since]
    told_target = TargetStory(name="prod", runs=tuple(runs), queues=tuple(sights))
    signals = StorySignals(Story(start=NOON, targets=(told_target,)))
    found = judge(depth_rule(when=when), lambda question: signals.read(question, "prod", NOON))
    assert not isinstance(found, Unknown)
    return {"".join(key): (one.outcome, one.value) for key, one in found.items()}


def depth(by: tuple[str, ...], **more: Any) -> Condition:
    return condition("queue_depth", by, above=5, **more)


def age(by: tuple[str, ...], **more: Any) -> Condition:
    return condition("queue_age", by, above=5 * MINUTE, **more)


@pytest.mark.parametrize(
    ("when", "queues", "expected"),
    [
        (depth(TARGET), {"a": "4 1", "b": "4 0"}, (T, 8)),
        (depth(TARGET), {"a": "6 1", "b": "9 0 paused"}, (T, 6)),
        (depth(TARGET), {"a": "5 1", "b": "9 0 paused"}, (F, 5)),
        (depth(TARGET), {"a": "9 0 paused"}, (F, 0)),
        (depth(TARGET, clear_below=3), {"a": "4 1", "b": "9 0 paused"}, (Outcome.CLEARING, 4)),
        (depth(TARGET, ignore_paused=False), {"a": "1 1", "b": "9 0 paused"}, (T, 10)),
        (age(TARGET), {"a": "6 1", "b": "9 0 paused"}, (T, 6 * MINUTE)),
        (age(TARGET), {"a": "5 1", "b": "9 0 paused"}, (F, 5 * MINUTE)),
        (age(TARGET, ignore_paused=False), {"a": "5 1", "b": "9 0 paused"}, (T, 9 * MINUTE)),
        (condition("queue_stalled", TARGET), {"a": "1 0", "b": "9 0 paused"}, (T, 1)),
        (condition("queue_stalled", TARGET), {"a": "1 0", "b": "9 2 paused"}, (T, 1)),
        (condition("queue_stalled", TARGET), {"a": "1 1", "b": "9 0 paused"}, (F, 1)),
        (condition("queue_stalled", TARGET), {"a": "0 0", "b": "9 0 paused"}, (F, 0)),
        (condition("queue_paused", TARGET), {"a": "9 1", "b": "2 0 paused"}, (T, 2)),
        (condition("queue_paused", TARGET), {"a": "9 1", "b": "0 0 paused"}, (F, 0)),
        (condition("queue_paused", TARGET), {"a": "9 1"}, (F, 0)),
    ],
)
def test_of_a_whole_target(when: Condition, queues: Queues, expected: tuple[Outcome, float]) -> None:
    assert said(when, queues) == {"": expected}


def test_nothing_waits_where_every_queue_is_paused() -> None:
    assert said(age(TARGET), {"a": "9 0 paused"}) == {}


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (depth(QUEUE), {"a": (T, 6), "b": (F, 9)}),
        (depth(QUEUE, ignore_paused=False), {"a": (T, 6), "b": (T, 9)}),
        (age(QUEUE), {"a": (T, 6 * MINUTE), "b": (F, 9 * MINUTE)}),
        (condition("queue_stalled", QUEUE), {"a": (T, 6), "b": (F, 9)}),
        (condition("queue_paused", QUEUE), {"a": (F, 6), "b": (T, 9)}),
    ],
)
def test_queue_by_queue(when: Condition, expected: dict[str, tuple[Outcome, float]]) -> None:
    assert said(when, {"a": "6 0", "b": "9 0 paused"}) == expected
