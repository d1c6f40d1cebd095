"""What concerns the alerts of a rule together: equal labels, the limit, other labels after an edit, what is counted."""

from __future__ import annotations

from dataclasses import replace

from evaluation_stage import BLIND, NOON, Stage, condition, depth_rule, judged
from triggerdev_alerts.alert import Change, Labels, Outcome, Reason, State
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.rules.model import OnNoData
from triggerdev_alerts.signals import Key

TRUE, FALSE = judged(Outcome.TRUE), judged(Outcome.FALSE)


def changes(stage: Stage) -> list[tuple[str, str]]:
    return [(each.change.value, each.alert.label("queue")) for each in stage.log]


def test_series_go_their_own_ways() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.evaluate({("a",): TRUE, ("b",): FALSE, ("c",): TRUE})
    stage.evaluate({("a",): FALSE, ("b",): TRUE, ("c",): TRUE})

    assert changes(stage) == [("firing", "a"), ("firing", "c"), ("resolved", "a"), ("firing", "b")]
    assert {alert.label("queue") for alert in stage.alerts.values()} == {"b", "c"}


def test_new_alerts_come_in_the_order_of_their_keys() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.evaluate({(name,): TRUE for name in "dbca"})
    assert [queue for _, queue in changes(stage)] == list("abcd")


class Merged(Stage):
    """All series have the same labels, as if the rule had painted over what tells them apart."""

    def labels_of(self, key: Key) -> Labels:
        return (("alertname", "Backlog"),)


def test_s13_two_series_with_equal_labels_are_an_error_that_names_both() -> None:
    stage = Merged(depth_rule(for_=0))
    advanced = stage.evaluate({("a",): TRUE, ("b",): TRUE, ("c",): FALSE})

    assert (stage.alerts, advanced.transitions, advanced.outcomes) == ({}, (), {Outcome.ERROR: 1})
    assert advanced.problem == (
        "two series have the same labels: queue='a' and queue='b' are both "
        '{alertname="Backlog"}; nothing is decided until they differ'
    )


def test_s13_alerts_that_there_are_already_are_held() -> None:
    stage = Merged(depth_rule(for_=0))
    stage.evaluate({("a",): TRUE})
    for _ in range(60):
        advanced = stage.evaluate({("a",): FALSE, ("b",): TRUE})
        assert advanced.problem
    assert (stage.alert.state, stage.alert.stale_since) == (State.FIRING, NOON + MINUTE)

    stage.evaluate({("a",): FALSE})
    assert [change for change, _ in changes(stage)] == ["firing", "resolved"]


def test_a_series_that_takes_over_the_labels_of_one_that_is_gone_is_the_same_alert() -> None:
    stage = Merged(depth_rule(for_=0))
    stage.evaluate({("a",): TRUE})
    advanced = stage.evaluate({("b",): TRUE})
    assert (advanced.transitions, stage.alert.key, advanced.outcomes) == ((), ("b",), {Outcome.TRUE: 1})


def test_the_limit_keeps_the_first_and_clears_nothing() -> None:
    stage = Stage(depth_rule(for_=0, max_series=2))
    advanced = stage.evaluate({(name,): TRUE for name in "edcb"})

    assert changes(stage) == [("firing", "b"), ("firing", "c")]
    assert advanced.problem.startswith("2 more series than its limit of 2 meet the condition and get no alert")
    assert advanced.outcomes == {Outcome.TRUE: 4}

    advanced = stage.evaluate({(name,): TRUE for name in "edcba"})
    assert (advanced.transitions, advanced.problem[:6]) == ((), "3 more")


def test_what_ends_makes_room_below_the_limit() -> None:
    stage = Stage(depth_rule(for_=0, max_series=2))
    stage.evaluate({(name,): TRUE for name in "abc"})
    advanced = stage.evaluate({("a",): FALSE, ("b",): TRUE, ("c",): TRUE})
    assert changes(stage)[2:] == [("resolved", "a"), ("firing", "c")]
    assert advanced.problem == ""


def test_a_lower_limit_ends_nothing() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.evaluate({(name,): TRUE for name in "abc"})
    stage.rule = replace(stage.rule, max_series=1)
    advanced = stage.evaluate({(name,): TRUE for name in "abc"})
    assert (len(stage.alerts), advanced.transitions, advanced.problem) == (3, (), "")


def test_series_that_are_healthy_do_not_count_towards_the_limit() -> None:
    stage = Stage(depth_rule(for_=0, max_series=1))
    advanced = stage.evaluate({(f"q{number}",): FALSE for number in range(600)} | {("zz",): TRUE})
    assert (changes(stage), advanced.problem) == ([("firing", "zz")], "")


def test_another_severity_ends_the_alert_and_goes_on_under_its_new_labels() -> None:
    stage = Stage(depth_rule())
    for _ in range(3):
        stage.evaluate({("a",): TRUE})
    old = stage.alert
    stage.rule = replace(stage.rule, severity="critical")
    advanced = stage.evaluate({("a",): TRUE})

    ended, firing = advanced.transitions
    assert (ended.change, ended.reason, ended.alert) == (Change.RESOLVED, Reason.RULE_REMOVED, old)
    assert (firing.change, firing.alert) == (Change.FIRING, stage.alert)
    assert (stage.alert.label("severity"), stage.alert.fired_at) == ("critical", old.fired_at)
    assert stage.alert.fingerprint != old.fingerprint


def test_another_owner_while_pending_costs_no_credit() -> None:
    stage = Stage(depth_rule(when=condition("failure_count", window=HOUR, above=3)))
    stage.evaluate({("send",): TRUE})
    stage.evaluate({("send",): TRUE})
    stage.owners = (("send", "mail"),)
    advanced = stage.evaluate({("send",): TRUE})

    assert [each.change for each in advanced.transitions] == ["dropped", "firing"]
    assert stage.alert.label("owner") == "mail"


def test_other_labels_while_recovering() -> None:
    stage = Stage(depth_rule(for_=0, keep_firing_for=HOUR))
    stage.evaluate({("a",): TRUE})
    stage.evaluate({("a",): FALSE})
    stage.rule = replace(stage.rule, labels={"team": "mail"})
    advanced = stage.evaluate({("a",): FALSE})
    assert [each.change for each in advanced.transitions] == ["resolved", "firing", "recovering"]
    assert (stage.alert.state, stage.alert.recovered) == (State.RECOVERING, MINUTE)


def test_other_labels_and_over_at_once() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.evaluate({("a",): TRUE})
    stage.rule = replace(stage.rule, severity="critical")
    (ended,) = stage.evaluate({("a",): FALSE}).transitions
    assert (ended.change, ended.reason, ended.alert.label("severity")) == ("resolved", "condition_cleared", "warning")


def test_labels_are_not_changed_while_nothing_can_be_read() -> None:
    stage = Stage(depth_rule(for_=0))
    stage.evaluate({("a",): TRUE})
    stage.rule = replace(stage.rule, severity="critical")
    assert not stage.evaluate(BLIND).transitions


def test_split_by_something_else_the_old_alerts_end() -> None:
    stage = Stage(depth_rule(for_=0, keep_firing_for=HOUR, when=condition("stuck_runs", older_than=HOUR)))
    stage.evaluate({("send",): TRUE})
    stage.rule = replace(stage.rule, when=condition("stuck_runs", ("queue",), older_than=HOUR))
    ended, firing = stage.evaluate({("send",): TRUE}).transitions
    assert (ended.reason, ended.alert.label("task")) == (Reason.RULE_REMOVED, "send")
    assert (firing.change, firing.alert.label("queue")) == (Change.FIRING, "send")
    assert firing.alert.fired_at == stage.now, "it is another thing that happens to have the same name"

    stage.rule = replace(stage.rule, when=condition("stuck_runs", ("queue", "task"), older_than=HOUR))
    (ended,) = stage.evaluate({}).transitions
    assert (ended.reason, ended.alert.label("queue")) == (Reason.RULE_REMOVED, "send")


def test_every_series_is_counted_once() -> None:
    stage = Stage(depth_rule(for_=0))
    found = {("a",): TRUE, ("b",): FALSE, ("c",): judged(Outcome.CLEARING), ("d",): judged(Outcome.INSUFFICIENT)}
    assert stage.evaluate(found).outcomes == {"true": 1, "false": 1, "clearing": 1, "insufficient": 1}
    assert stage.evaluate({("b",): FALSE}).outcomes == {"false": 1, "no_data": 1}
    assert stage.evaluate(BLIND).outcomes == {"error": 1}


def test_of_nothing_read_one_says_what_that_means() -> None:
    assert Stage(depth_rule()).evaluate({}).outcomes == {"no_data": 1}
    rate = condition("failure_rate", window=HOUR, above=0.1)
    assert Stage(depth_rule(when=rate)).evaluate({}).outcomes == {"insufficient": 1}
    count = condition("failure_count", window=HOUR, above=3)
    assert Stage(depth_rule(when=count)).evaluate({}).outcomes == {"false": 1}


def test_absent_is_false_where_it_means_zero() -> None:
    stage = Stage(depth_rule(for_=0, when=condition("stuck_runs", older_than=HOUR)))
    stage.evaluate({("send",): TRUE})
    (ended,) = stage.evaluate({}).transitions
    assert ended.reason is Reason.CONDITION_CLEARED


def test_no_data_fires_for_the_target_as_a_whole_even_if_nothing_was_ever_read() -> None:
    whole = condition("queue_depth", (), above=10)
    stage = Stage(depth_rule(for_=0, when=whole, on_no_data=OnNoData.FIRING))
    advanced = stage.evaluate({})
    assert [(each.change, each.reason) for each in advanced.transitions] == [(Change.FIRING, Reason.NO_DATA)]
    assert advanced.outcomes == {"no_data": 1}
    stage.evaluate({(): FALSE})
    assert not stage.alerts


def test_no_data_that_was_ended_by_hand_is_not_missed_again() -> None:
    stage = Stage(depth_rule(for_=0, on_no_data=OnNoData.FIRING))
    stage.evaluate({("a",): FALSE, ("b",): FALSE})
    stage.evaluate({("b",): FALSE})
    assert changes(stage) == [("firing", "a")]
    stage.alerts.clear()
    assert not stage.evaluate({("b",): FALSE}).transitions


def test_zero_is_no_missing_data() -> None:
    count = condition("failure_count", window=HOUR, above=3)
    stage = Stage(depth_rule(for_=0, when=count, on_no_data=OnNoData.FIRING))
    stage.evaluate({("a",): FALSE})
    assert not stage.evaluate({}).transitions


def vanishing(count: int, **settings: object) -> Stage:
    """That many queues have alerts, and then there is no queue at all."""
    stage = Stage(depth_rule(for_=0, **settings))
    stage.evaluate({(f"q{number}",): TRUE for number in range(count)})
    stage.log.clear()
    return stage


def test_a7_all_that_many_alerts_are_about_does_not_vanish_at_once() -> None:
    stage = vanishing(3)
    assert stage.evaluate({}).outcomes == {Outcome.NO_DATA: 3}
    for _ in range(60):
        advanced = stage.evaluate({})
        assert advanced.problem == ("all that 3 alerts are about is gone at once, which is not believed; they are held")
    assert stage.log == []
    assert {alert.stale_reason for alert in stage.alerts.values()} == {"vanished"}
    # Whatever is read shows that the source works: those that are still missing are gone.
    assert stage.evaluate({("other",): FALSE}).problem == ""
    assert [change for change, _ in changes(stage)] == ["resolved"] * 3


def test_a7_after_a_day_it_is_believed() -> None:
    stage = vanishing(3)
    for _ in range(24 * 60 + 1):
        stage.evaluate({})
    assert stage.log == []
    stage.evaluate({})
    assert [change for change, _ in changes(stage)] == ["resolved"] * 3


def test_a7_two_may_vanish_and_a_rule_may_say_what_no_data_means() -> None:
    for stage in (vanishing(2), vanishing(3, on_no_data=OnNoData.OK)):
        for _ in range(2):
            stage.evaluate({})
        assert {change for change, _ in changes(stage)} == {"resolved"}
