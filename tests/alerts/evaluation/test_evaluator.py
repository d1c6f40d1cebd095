"""A rule over its targets, into a draft; and what ends alerts from outside."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from evaluation_stage import BLIND, NOON, Told, condition, depth_rule
from triggerdev_alerts.alert import Alert, Reason, State, Transition
from triggerdev_alerts.book import KEPT_ENDED, Book, Draft, RuleEntry
from triggerdev_alerts.evaluation.evaluator import (
    Cache,
    evaluate,
    forget,
    resolve_manually,
    retire,
    shift,
    shifted,
)
from triggerdev_alerts.instants import DAY, HOUR, MINUTE, SECOND, Instant
from triggerdev_alerts.rules.model import Group, OnNoData, Rule, RuleSet
from triggerdev_alerts.signals import Answer, Blind, Key, Unknown, Where

FULL: dict[str, Answer | dict[Key, float]] = {"queue_depth": {("emails",): 20.0}}
EMPTY: dict[str, Answer | dict[Key, float]] = {"queue_depth": {("emails",): 0.0}}
DARK: dict[str, Answer | dict[Key, float]] = {"queue_depth": BLIND}


class Room:
    """One rule, evaluated each minute, committed each time."""

    def __init__(self, rule: Rule, signals: Told) -> None:
        self.rule = rule
        self.signals = signals
        self.book = Book()
        self.now: Instant = NOON

    def evaluate(self, cache: Cache | None = None) -> list[Transition]:
        draft = Draft(self.book)
        before = self.book.rules.get(self.rule.id)
        elapsed = self.now - before.evaluated_at if before is not None else 0
        group = Group(self.rule.group, (self.rule,))
        made = evaluate(
            draft,
            group,
            self.rule,
            self.signals,
            owners=(),
            at=self.now,
            elapsed=elapsed,
            cache={} if cache is None else cache,
        )
        self.book.absorb(draft.changes)
        self.now += MINUTE
        return made

    def retire(self, *rules: Rule) -> list[Transition]:
        draft = Draft(self.book)
        made = retire(draft, RuleSet((Group("queues", rules),)), self.signals.targets(), self.now)
        self.book.absorb(draft.changes)
        return made

    @property
    def entry(self) -> RuleEntry:
        return self.book.rules[self.rule.id]

    @property
    def alert(self) -> Alert:
        (only,) = self.book.alerts.values()
        return only


def told(made: list[Transition]) -> list[tuple[str, str, str]]:
    return [(each.alert.target, each.change.value, each.reason.value) for each in made]


def test_each_target_has_its_own_alerts_and_only_the_blind_one_is_held() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL, dev=FULL))
    assert told(room.evaluate()) == [("prod", "firing", "condition_met"), ("dev", "firing", "condition_met")]

    room.signals.answers |= {"prod": DARK, "dev": EMPTY}
    assert told(room.evaluate()) == [("dev", "resolved", "condition_cleared")]
    assert (room.alert.target, room.alert.stale_since, room.alert.stale_reason) == ("prod", NOON + MINUTE, "failing")


def test_evaluations_are_counted_by_target_rule_and_outcome() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL, dev=EMPTY))
    room.evaluate()
    room.signals.answers["prod"] = DARK
    room.evaluate()
    assert room.book.counts == {
        ("rule_evaluations_total", ("prod", "Backlog", "true")): 1,
        ("rule_evaluations_total", ("dev", "Backlog", "false")): 2,
        ("rule_evaluations_total", ("prod", "Backlog", "error")): 1,
    }


def test_windows_end_earlier_and_states_are_of_the_tick() -> None:
    rate = Room(depth_rule(when=condition("failure_rate", window=HOUR, above=0.1)), Told(prod={}))
    rate.evaluate()
    assert {at for _, _, at in rate.signals.asked} == {NOON - 30 * SECOND}
    depth = Room(depth_rule(), Told(prod={}))
    depth.evaluate()
    assert {at for _, _, at in depth.signals.asked} == {NOON}


def test_rules_of_a_tick_share_answers() -> None:
    signals, cache = Told(prod=FULL), dict[Any, Any]()
    for name in ("one", "two"):
        Room(replace(depth_rule(), name=name), signals).evaluate(cache)
    assert [question.signal for question, _, _ in signals.asked] == ["queue_depth", "queue_paused"]


def test_an_alert_that_ended_is_remembered_until_it_fires_again() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    alert = room.alert
    room.signals.answers["prod"] = EMPTY
    room.evaluate()
    assert not room.book.alerts
    ended = room.book.ended[alert.fingerprint]
    assert (ended.at, ended.reason, ended.alert.fired_at) == (NOON + MINUTE, Reason.CONDITION_CLEARED, NOON)

    room.signals.answers["prod"] = FULL
    room.evaluate()
    assert not room.book.ended


def test_ended_alerts_are_forgotten_after_a_quarter_of_an_hour() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    room.signals.answers["prod"] = EMPTY
    room.evaluate()
    for later, left in ((KEPT_ENDED - 1, 1), (KEPT_ENDED, 0)):
        draft = Draft(room.book)
        forget(draft, NOON + MINUTE + later)
        room.book.absorb(draft.changes)
        assert len(room.book.ended) == left


def test_evaluating_forgets_them() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    room.signals.answers["prod"] = EMPTY
    for _ in range(15):
        room.evaluate()
    assert len(room.book.ended) == 1
    room.evaluate()
    assert not room.book.ended


def test_a_pending_alert_that_is_dropped_is_no_ended_one() -> None:
    room = Room(depth_rule(), Told(prod=FULL))
    room.evaluate()
    room.signals.answers["prod"] = EMPTY
    assert told(room.evaluate()) == [("prod", "dropped", "condition_cleared")]
    assert not room.book.ended


def test_what_goes_wrong_is_the_rules_error_and_resolves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL, dev=FULL))
    room.evaluate()
    room.signals.broken = {"prod"}
    room.signals.answers["dev"] = EMPTY
    with caplog.at_level(logging.ERROR):
        assert told(room.evaluate()) == [("dev", "resolved", "condition_cleared")]
        room.evaluate()

    assert len(caplog.records) == 1, "the same mistake is logged once"
    error = "ZeroDivisionError while it was evaluated; this is a mistake in this program"
    assert room.entry.error == f"prod: {error}"
    assert room.entry.error_since == NOON + MINUTE
    assert (room.alert.state, room.alert.stale_reason) == (State.FIRING, error)
    assert room.book.counts["rule_evaluations_total", ("prod", "Backlog", "error")] == 2

    room.signals.broken = set()
    room.evaluate()
    assert (room.entry.error, room.entry.error_since, room.alert.stale_since) == ("", 0, 0)


@pytest.mark.parametrize("reason", [Blind.STARTING, Blind.FAILING, Blind.AUTH, Blind.CATCHING_UP, Blind.UNFILLED])
def test_a_blind_source_is_no_error_of_the_rule(reason: Blind) -> None:
    room = Room(depth_rule(), Told(prod={"queue_depth": Unknown(reason, "503")}))
    room.evaluate()
    assert room.entry.error == ""


@pytest.mark.parametrize("reason", [Blind.UNSUPPORTED, Blind.NOT_ENRICHED, Blind.VANISHED, Blind.NOT_RECORDED])
def test_what_a_rule_can_never_read_is_its_error(reason: Blind) -> None:
    room = Room(depth_rule(), Told(prod={"queue_depth": Unknown(reason, "not told")}))
    room.evaluate()
    assert room.entry.error == "prod: not told"


def test_a_shipped_rule_that_the_server_does_not_offer_is_nobodys_error() -> None:
    room = Room(depth_rule(shipped=True), Told(prod={"queue_depth": Unknown(Blind.UNSUPPORTED)}))
    room.evaluate()
    assert room.entry.error == ""


def test_a7_everything_vanished_at_once_is_held_and_told() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    room.signals.answers["prod"] = {"queue_depth": Unknown(Blind.VANISHED, "all queues are gone at once")}
    for _ in range(10):
        assert not room.evaluate()
    assert (room.alert.stale_reason, room.entry.error_since) == ("vanished", NOON + MINUTE)


def test_an_error_outlives_a_moment_in_which_nothing_can_be_read() -> None:
    room = Room(depth_rule(), Told(prod={"queue_depth": Unknown(Blind.NOT_ENRICHED, "not told")}))
    room.evaluate()
    room.signals.answers["prod"] = DARK
    room.evaluate()
    assert (room.entry.error, room.entry.error_since) == ("prod: not told", NOON)
    room.signals.answers["prod"] = EMPTY
    room.evaluate()
    assert room.entry.error == ""


def test_a_limit_that_is_reached_is_the_rules_error() -> None:
    room = Room(depth_rule(for_=0, max_series=1), Told(prod={"queue_depth": {("a",): 20.0, ("b",): 20.0}}))
    assert len(room.evaluate()) == 1
    assert room.entry.error.startswith("prod: 1 more series than its limit of 1")


def test_an_error_tells_of_few_targets() -> None:
    unknown = {f"t{number}": {"queue_depth": Unknown(Blind.NOT_ENRICHED, "x")} for number in range(9)}
    room = Room(depth_rule(), Told(**unknown))  # type: ignore[arg-type]
    room.evaluate()
    assert room.entry.error == "t0: x; t1: x; t2: x"


def narrowed(type_: str, by: tuple[str, ...] | None = None, **more: Any) -> Rule:
    return depth_rule(when=condition(type_, by, where=Where(task=("typo-*",), queue=("typo-*",)), **more))


def test_a_rule_whose_globs_fit_nothing_never_matched() -> None:
    room = Room(narrowed("queue_depth", above=1), Told(prod={}))
    for _ in range(3):
        room.evaluate()
    assert (room.entry.ever_matched, room.entry.known_since) == (False, NOON)
    room.signals.answers["prod"] = EMPTY
    room.evaluate()
    room.signals.answers["prod"] = {}
    room.evaluate()
    assert room.entry.ever_matched


def test_time_in_which_nothing_can_be_read_is_no_proof_that_globs_are_wrong() -> None:
    room = Room(narrowed("queue_depth", above=1), Told(prod=DARK))
    for _ in range(4):
        room.evaluate()
    assert (room.entry.ever_matched, room.entry.known_since) == (False, NOON + 3 * MINUTE)


def test_nothing_read_is_fine_without_globs_and_where_it_means_zero() -> None:
    for rule in (depth_rule(), narrowed("stuck_runs", older_than=HOUR)):
        room = Room(rule, Told(prod={}))
        room.evaluate()
        assert room.entry.ever_matched


def test_a_rule_for_a_target_that_is_not_there_never_matched() -> None:
    room = Room(depth_rule(when=condition("queue_depth", above=1, targets=("typo",))), Told(prod=FULL))
    room.evaluate()
    assert (room.entry.ever_matched, room.signals.asked) == (False, [])


def test_series_are_only_kept_for_a_rule_that_fires_without_data() -> None:
    room = Room(depth_rule(for_=0, on_no_data=OnNoData.FIRING), Told(prod=EMPTY))
    room.evaluate()
    assert room.entry.seen == {"prod": (("emails",),)}
    room.signals.answers["prod"] = DARK
    room.evaluate()
    assert room.entry.seen == {"prod": (("emails",),)}
    room.signals.answers["prod"] = {}
    assert told(room.evaluate()) == [("prod", "firing", "no_data")]
    assert room.entry.seen == {"prod": ()}

    other = Room(depth_rule(), Told(prod=EMPTY))
    other.evaluate()
    assert other.entry.seen == {}


def test_s11_a_rule_that_is_removed_resolves_once() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    assert told(room.retire(room.rule)) == []
    assert told(room.retire()) == [("prod", "resolved", "rule_removed")]
    assert told(room.retire()) == []
    assert not room.book.alerts
    assert not room.book.rules
    assert len(room.book.ended) == 1


def test_a_rule_that_is_disabled() -> None:
    room = Room(depth_rule(), Told(prod=FULL, dev=FULL))
    for _ in range(3):
        room.evaluate()
    assert told(room.retire(replace(room.rule, enabled=False))) == [
        ("prod", "resolved", "rule_disabled"),
        ("dev", "resolved", "rule_disabled"),
    ]
    assert not room.book.rules, "an error of it is nobody's any more"


def test_a_pending_one_of_a_rule_that_is_disabled_is_dropped() -> None:
    room = Room(depth_rule(), Told(prod=FULL))
    room.evaluate()
    assert told(room.retire(replace(room.rule, enabled=False))) == [("prod", "dropped", "rule_disabled")]


def test_a_target_that_is_not_watched_any_more() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL, dev=FULL))
    room.evaluate()
    del room.signals.answers["dev"]
    assert told(room.retire(room.rule)) == [("dev", "resolved", "entity_gone")]


def test_a_target_that_the_rule_leaves_out_now() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL, dev=FULL))
    room.evaluate()
    only = replace(room.rule, when=replace(room.rule.when, targets=("prod",)))
    assert told(room.retire(only)) == [("dev", "resolved", "rule_removed")]


def test_what_was_ended_in_this_draft_is_not_evaluated_again() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    draft = Draft(room.book)
    resolve_manually(draft, room.alert.fingerprint, room.now)
    (again,) = evaluate(
        draft, Group("queues", ()), room.rule, room.signals, owners=(), at=room.now, elapsed=MINUTE, cache={}
    )
    assert (again.change, again.alert.fired_at) == ("firing", room.now)


def test_an_alert_is_resolved_by_hand() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    draft = Draft(room.book)
    made = resolve_manually(draft, room.alert.fingerprint, room.now)
    assert made is not None
    assert told([made]) == [("prod", "resolved", "manual")]
    assert resolve_manually(draft, room.alert.fingerprint, room.now) is None
    room.book.absorb(draft.changes)
    assert not room.book.alerts


def test_instants_move_with_the_clock_and_durations_stay() -> None:
    room = Room(depth_rule(keep_firing_for=HOUR), Told(prod=FULL))
    for _ in range(3):
        room.evaluate()
    before = room.alert
    (after,) = shift((before,), -DAY)
    assert (after.active_at, after.fired_at, after.last_true) == (
        before.active_at - DAY,
        before.fired_at - DAY,
        before.last_true - DAY,
    )
    assert (after.stale_since, after.insufficient_since, after.credit) == (0, 0, before.credit)
    assert shift((after,), DAY) == [before]


def test_a_pending_alert_goes_on_over_a_jump_of_the_clock() -> None:
    room = Room(depth_rule(), Told(prod=FULL))
    room.evaluate()
    room.evaluate()
    draft = Draft(room.book)
    shifted(draft, DAY)
    room.now += DAY
    (fired,) = evaluate(
        draft, Group("queues", ()), room.rule, room.signals, owners=(), at=room.now, elapsed=MINUTE, cache={}
    )
    assert (fired.change, fired.at, fired.alert.active_at) == ("firing", NOON + DAY + 2 * MINUTE, NOON + DAY)


def test_ended_alerts_and_rules_move_too() -> None:
    room = Room(depth_rule(for_=0), Told(prod=FULL))
    room.evaluate()
    room.signals.answers["prod"] = EMPTY
    room.evaluate()
    draft = Draft(room.book)
    shifted(draft, DAY)
    room.book.absorb(draft.changes)
    (ended,) = room.book.ended.values()
    assert (ended.at, ended.alert.fired_at) == (NOON + DAY + MINUTE, NOON + DAY)
    assert (room.entry.known_since, room.entry.evaluated_at, room.entry.error_since) == (
        NOON + DAY,
        NOON + DAY + MINUTE,
        0,
    )
