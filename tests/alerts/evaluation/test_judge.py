"""From answers to outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation_stage import BLIND, condition, depth_rule
from triggerdev_alerts.alert import Outcome
from triggerdev_alerts.conditions.catalogue import CONDITIONS
from triggerdev_alerts.evaluation.judge import Judged, judge, targets_of
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.rules.model import Rule
from triggerdev_alerts.signals import SELF, SUCCESSES, Answer, Question, Readings, Unknown

RATE = condition("failure_rate", window=15 * MINUTE, above=0.1, clear_below=0.05, min_sample=20)


def rates(failed: float, succeeded: float) -> Judged:
    def read(question: Question) -> Answer:
        return Readings({("send",): succeeded if question.statuses == SUCCESSES else failed})

    found = judge(depth_rule(when=RATE), read)
    assert not isinstance(found, Unknown)
    return found["send",]


@pytest.mark.parametrize(
    ("failed", "succeeded", "outcome"),
    [
        (3, 0, Outcome.INSUFFICIENT),  # S6: three of three say nothing
        (3, 17, Outcome.TRUE),  # S6: three of twenty do
        (2, 18, Outcome.CLEARING),  # S5: exactly at the threshold is not above it
        (1, 19, Outcome.CLEARING),  # exactly at clear_below is not below it
        (1, 20, Outcome.FALSE),
        (0, 20, Outcome.FALSE),
    ],
)
def test_s5_s6_s7_outcomes_of_a_rate(failed: float, succeeded: float, outcome: Outcome) -> None:
    assert rates(failed, succeeded).outcome is outcome


def test_numbers_are_told_with_the_outcome() -> None:
    assert rates(3, 17) == Judged(Outcome.TRUE, 0.15, 0.1, 20, "")
    assert rates(3, 0).detail == "3 runs are too few to judge by"
    assert rates(2, 18).detail == "not above the threshold, but not below clear_below either"


def test_s5_a_depth_at_its_threshold_is_false() -> None:
    found = judge(depth_rule(), lambda q: Readings({("a",): 10.0, ("b",): 11.0} if q.signal == "queue_depth" else {}))
    assert {key: each.outcome for key, each in found.items()} == {("a",): "false", ("b",): "true"}  # type: ignore[union-attr]


def test_one_unknown_answer_makes_it_unknown() -> None:
    stalled = depth_rule(when=condition("queue_stalled"))
    for blind in ("queue_depth", "queue_running", "queue_paused"):
        assert judge(stalled, lambda q, blind=blind: BLIND if q.signal == blind else Readings({})) is BLIND  # type: ignore[misc]


def test_an_optional_one_reads_as_empty() -> None:
    found = judge(depth_rule(), lambda q: BLIND if q.signal == "queue_paused" else Readings({("a",): 11.0}))
    assert found == {("a",): Judged(Outcome.TRUE, 11.0, 10, None, "")}


@pytest.mark.parametrize("name", [row.name for row in CONDITIONS.values() if row.is_blindness])
def test_a_condition_about_blindness_is_never_unknown(name: str) -> None:
    assert not isinstance(judge(depth_rule(when=condition(name)), lambda q: BLIND), Unknown)


EXAMPLES: dict[str, Any] = {
    "window": HOUR,
    "above": 1,
    "older_than": HOUR,
    "times": 2.0,
    "floor": 1,
    "failed_items_above": 0.0,
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_can_be_judged(name: str) -> None:
    keys = {key.name for key in CONDITIONS[name].keys}
    when = condition(name, **{key: value for key, value in EXAMPLES.items() if key in keys})
    length = len(when.by)

    def read(question: Question) -> Answer:
        return Readings({("x",) * len(question.by): 5.0}, {("x",) * len(question.by): 50})

    found = judge(depth_rule(when=when), read)
    assert not isinstance(found, Unknown)
    assert {len(key) for key in found} == {length}


def test_targets_are_narrowed_by_globs() -> None:
    def named(*globs: str) -> Rule:
        return depth_rule(when=condition("queue_depth", above=1, targets=globs))

    everything = ("shop-prod", "shop-dev", "blog-prod")
    assert targets_of(named(), everything) == everything
    assert targets_of(named("shop-*"), everything) == ("shop-prod", "shop-dev")
    assert targets_of(named("blog-prod", "*-dev"), everything) == ("shop-dev", "blog-prod")
    assert targets_of(named("none"), everything) == ()


def test_alerting_itself_is_a_target_of_its_own() -> None:
    assert targets_of(depth_rule(when=condition("outbox_stalled")), ("prod", "dev")) == (SELF,)
