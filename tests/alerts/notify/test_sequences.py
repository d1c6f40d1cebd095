"""What is told when, as sequences of instants, named after the acceptance rows that they are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from notify_stage import Stage, rules, silence, t
from triggerdev_alerts.alert import Outcome, Reason, State
from triggerdev_alerts.book import Kind
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND
from triggerdev_alerts.notification import NoticeKind, Why
from triggerdev_alerts.notify.silences import expire_silence
from triggerdev_alerts.rules.model import Backoff, Flapping, Inhibition, Matcher, OnNoData, Route, RuleSet, TimeRange


def route(**settings: object) -> Route:
    return Route(**{"receiver": "W", "path": "0", "startup_summarize": False} | settings)  # type: ignore[arg-type]


def lasting(stage: Stage, start: str, end: str | None, **labels: str) -> None:
    """An alert from `start` to `end`; the stage has not passed `start`."""
    alert = stage.at(t(start), lambda: stage.fire(t(start), **labels))
    if end is not None:
        stage.at(t(end), lambda: stage.end(t(end), alert()))


def test_s1_fires_and_clears() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", "12:21:00")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:22:30 W resolved (all alerts resolved) -X",
    ]
    told = stage.told[0].alerts[0]
    assert told.starts_at == t("12:02:00")
    assert stage.told[1].alerts[0].ends_at == t("12:21:00")
    assert not stage.book.groups


def test_s4_cleared_before_the_next_look() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", "12:03:00")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:07:30 W resolved (all alerts resolved) -X",
    ]


def test_s4_cleared_before_anything_was_told() -> None:
    stage = Stage(rules(route(group_wait=90 * SECOND)))
    lasting(stage, "12:02:00", "12:03:00")
    stage.play(t("14:00:00"))
    assert stage.lines == []
    assert not stage.book.groups


def test_s11_the_end_of_a_removed_rule_is_told_with_its_reason() -> None:
    stage = Stage()
    alert = stage.at(t("12:00:00"), lambda: stage.fire(t("12:00:00")))
    stage.at(t("12:10:00"), lambda: stage.end(t("12:10:00"), alert(), Reason.RULE_REMOVED))
    stage.play(t("13:00:00"))
    assert [each.alerts[0].reason for each in stage.told] == ["condition_met", "rule_removed"]


def alternations(stage: Stage, count: int, start: str = "12:00:00", **labels: str) -> None:
    for minute in range(0, count, 2):
        at = t(start) + minute * MINUTE
        alert = stage.at(at, lambda at=at: stage.fire(at, **labels))  # type: ignore[misc]
        stage.at(at + MINUTE, lambda at=at, alert=alert: stage.end(at + MINUTE, alert()))  # type: ignore[misc]


FLAPPING = Flapping(changes=6, window=HOUR, stable=15 * MINUTE)


def test_s12_alternations_are_told_once() -> None:
    stage = Stage(rules(flapping=FLAPPING))
    alternations(stage, 30)
    stage.play(t("16:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X",
        "12:05:30 W flapping (flapping) -X",
        "12:45:30 W resolved (all alerts resolved) -X",
    ]
    assert stage.told[1].changes == 6
    assert not stage.book.groups
    assert not stage.book.flaps


def test_what_flaps_and_stays_on_ends_as_firing() -> None:
    stage = Stage(rules(flapping=FLAPPING))
    alternations(stage, 6)
    lasting(stage, "12:06:00", "12:50:00")
    stage.play(t("16:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X",
        "12:05:30 W flapping (flapping) -X",
        "12:25:30 W firing (new alerts added) +X",
        "12:50:30 W resolved (all alerts resolved) -X",
    ]


def test_what_flapped_and_was_quiet_is_told_at_once() -> None:
    stage = Stage(rules(flapping=FLAPPING))
    alternations(stage, 6)
    lasting(stage, "12:30:00", "12:40:00")
    stage.play(t("16:00:00"))
    assert stage.lines[2:] == [
        "12:20:30 W resolved (all alerts resolved) -X",
        "12:30:30 W firing (first notification) +X",
        "12:40:30 W resolved (all alerts resolved) -X",
    ]


def test_others_of_the_group_are_told_while_one_flaps() -> None:
    stage = Stage(rules(flapping=FLAPPING))
    alternations(stage, 6, task="a")
    lasting(stage, "12:04:00", "12:16:00", task="b")
    stage.play(t("16:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X/a",
        "12:05:30 W flapping (flapping) -X/a",
        "12:05:30 W firing (new alerts added) +X/b",
        "12:20:30 W resolved (all alerts resolved) -X/a -X/b",
    ]
    assert [each.seq for each in stage.told] == [stage.told[0].seq + n for n in range(4)]


@pytest.mark.parametrize("blind", [False, True])
def test_a1_a_firing_alert_that_is_held_says_nothing(blind: bool) -> None:
    """A source that is away for an hour is two messages, both of the alert about the source; inhibited or not."""
    inhibitions = (
        (Inhibition((Matcher("alertname", ("Source",)),), (Matcher("severity", ("warning",)),), ("target",)),)
        if blind
        else ()
    )
    stage = Stage(rules(names=("X", "Source"), inhibitions=inhibitions))
    lasting(stage, "12:02:00", None, severity="warning")
    lasting(stage, "12:12:00", "13:10:00", alertname="Source")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:12:30 W firing (first notification) +Source",
        "13:12:30 W resolved (all alerts resolved) -Source",
    ]


def test_a2_it_cleared_meanwhile() -> None:
    stage = Stage(rules(names=("X", "Source")))
    lasting(stage, "12:02:00", "13:10:00", severity="warning")
    lasting(stage, "12:12:00", "13:10:00", alertname="Source")
    stage.play(t("14:00:00"))
    assert stage.lines[2:] == [
        "13:12:30 W resolved (all alerts resolved) -X",
        "13:12:30 W resolved (all alerts resolved) -Source",
    ]


NIGHTS = {"nights": (TimeRange(times=((22 * 60, 6 * 60),), location="Europe/Berlin"),)}


def test_t5_what_fires_at_night_is_told_once_in_the_morning() -> None:
    stage = Stage(rules(route(mute=("nights",)), time_intervals=NIGHTS))
    lasting(stage, "2026-10-24T21:00:00Z", None)
    stage.play(t("2026-10-25T05:30:00Z"))
    assert stage.lines == ["05:00:30 W firing (mute ended) +X"]


def test_t5_what_ends_at_night_and_was_not_told_is_not_told() -> None:
    stage = Stage(rules(route(mute=("nights",)), time_intervals=NIGHTS))
    lasting(stage, "2026-10-24T21:00:00Z", "2026-10-25T03:00:00Z")
    stage.play(t("2026-10-25T12:30:00Z"))
    assert stage.lines == []


def test_active_intervals_are_the_opposite_of_mutes() -> None:
    stage = Stage(rules(route(active=("nights",)), time_intervals=NIGHTS))
    lasting(stage, "2026-10-24T19:00:00Z", None)
    stage.play(t("2026-10-24T20:30:00Z"))
    assert stage.lines == ["20:00:30 W firing (mute ended) +X"]


def test_t10_repeats_at_its_own_instant() -> None:
    stage = Stage(rules(route(group_interval=7 * MINUTE)))
    lasting(stage, "12:02:00", None)
    stage.play(t("23:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "16:02:30 W firing (repeat interval elapsed) +X",
        "20:02:30 W firing (repeat interval elapsed) +X",
    ]


def test_repeat_interval_equal_to_the_grid_is_not_doubled() -> None:
    stage = Stage(rules(route(repeat_interval=5 * MINUTE)))
    lasting(stage, "12:02:00", None)
    stage.play(t("12:20:00"))
    assert [line[:8] for line in stage.lines] == ["12:02:30", "12:07:30", "12:12:30", "12:17:30"]


def test_a_change_resets_the_repeat_timer() -> None:
    stage = Stage(rules(route(repeat_interval=HOUR)))
    lasting(stage, "12:02:00", None, task="a")
    lasting(stage, "12:30:00", None, task="b")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X/a",
        "12:32:30 W firing (new alerts added) +X/a +X/b",
        "13:32:30 W firing (repeat interval elapsed) +X/a +X/b",
    ]


def test_a_repeat_off_the_grid_tells_what_is_new_and_leaves_the_grid_alone() -> None:
    stage = Stage(rules(route(repeat_interval=8 * MINUTE)))
    lasting(stage, "12:02:00", None, task="a")
    lasting(stage, "12:09:00", "12:11:00", task="b")
    stage.play(t("12:13:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X/a",
        "12:10:30 W firing (new alerts added) +X/a +X/b",
        "12:12:30 W firing (some alerts resolved) +X/a -X/b",
    ]


def test_repeats_back_off_to_the_most_and_start_anew_after_a_change() -> None:
    stage = Stage(rules(route(repeat_interval=HOUR, repeat_backoff=Backoff(2, 3 * HOUR))))
    lasting(stage, "00:00:00", None, task="a")
    lasting(stage, "09:10:00", None, task="b")
    stage.play(t("11:00:00"))
    assert [line[:8] for line in stage.lines] == [
        "00:00:30",
        "01:00:30",
        "03:00:30",
        "06:00:30",
        "09:00:30",
        "09:10:30",
        "10:10:30",
    ]


def test_v1_a_hundred_tasks_are_one_message_and_the_next_is_one_more() -> None:
    stage = Stage()
    for number in range(100):
        lasting(stage, "12:00:00", None, task=f"task-{number:03d}")
    lasting(stage, "12:01:00", None, task="task-100")
    stage.play(t("13:00:00"))
    assert [(each.why, len(each.alerts), each.truncated) for each in stage.told] == [
        (Why.FIRST, 100, 0),
        (Why.NEW_ALERTS, 100, 1),
    ]
    assert stage.lines[1].startswith("12:05:30")


def test_d11_one_group_is_one_key_through_its_life() -> None:
    stage = Stage()
    for task, start in (("a", "12:00:00"), ("b", "12:01:00"), ("c", "12:01:00")):
        lasting(stage, start, "12:20:00", task=task)
    stage.play(t("13:00:00"))
    assert [(each.kind, len(each.alerts)) for each in stage.told] == [
        (NoticeKind.FIRING, 1),
        (NoticeKind.FIRING, 3),
        (NoticeKind.RESOLVED, 3),
    ]
    assert len({each.group_key for each in stage.told}) == 1


def silenced(stage: Stage, start: str, minutes: int, text: str = "alertname=X") -> None:
    stage.at(t(start), lambda: stage.draft(lambda draft: silence(draft, text, t(start), minutes * MINUTE)))


def test_v3_a_silence_that_ends_is_caught_up_with() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", None)
    silenced(stage, "12:05:00", 25)
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:32:30 W firing (mute ended) +X",
    ]


def test_v3_a_silence_that_is_expired_early_is_caught_up_with() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", None)
    silenced(stage, "12:01:00", 600)
    stage.at(
        t("12:21:00"),
        lambda: stage.draft(lambda draft: expire_silence(draft, next(iter(stage.book.silences)), t("12:21:00"))),
    )
    stage.play(t("14:00:00"))
    assert stage.lines == ["12:22:30 W firing (mute ended) +X"]


def test_a_repeat_waits_for_the_end_of_a_silence() -> None:
    stage = Stage(rules(route(repeat_interval=10 * MINUTE)))
    lasting(stage, "12:02:00", None)
    silenced(stage, "12:11:00", 10)
    stage.play(t("12:35:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:22:30 W firing (mute ended) +X",
        "12:32:30 W firing (repeat interval elapsed) +X",
    ]


def test_news_beside_what_is_caught_up_with_are_told_as_news() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", None, task="a")
    silenced(stage, "12:05:00", 7, "task=a")
    lasting(stage, "12:11:00", None, task="b")
    stage.play(t("12:15:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X/a",
        "12:12:30 W firing (new alerts added) +X/a +X/b",
    ]


def test_a_repeat_that_is_withheld_does_not_hurry_what_is_new() -> None:
    stage = Stage(rules(route(repeat_interval=7 * MINUTE)))
    lasting(stage, "12:02:00", None, task="a")
    silenced(stage, "12:08:00", 600, "task=a")
    lasting(stage, "12:09:00", None, task="b")
    stage.play(t("12:15:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X/a",
        "12:12:30 W firing (new alerts added) +X/b",
    ]


def test_resolve_through_a_silence() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", "12:11:00")
    silenced(stage, "12:05:00", 600)
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X",
        "12:12:30 W resolved (all alerts resolved) -X",
    ]


def test_a_silenced_alert_is_not_in_messages_of_its_group() -> None:
    stage = Stage()
    lasting(stage, "12:02:00", None, task="a")
    lasting(stage, "12:02:00", "12:11:00", task="b")
    silenced(stage, "12:01:00", 600, "task=a")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:02:30 W firing (first notification) +X/b",
        "12:12:30 W resolved (some alerts resolved) -X/b",
    ]


def test_resolved_may_be_told_to_wait_for_the_mute() -> None:
    stage = Stage(rules(route(send_resolved_when_muted=False)))
    lasting(stage, "12:02:00", "12:11:00")
    silenced(stage, "12:05:00", 60)
    stage.play(t("14:00:00"))
    assert stage.lines[1:] == ["13:07:30 W resolved (all alerts resolved) -X"]


def test_a_route_may_want_no_ends() -> None:
    stage = Stage(rules(route(send_resolved=False)))
    lasting(stage, "12:02:00", "12:11:00")
    stage.play(t("14:00:00"))
    assert stage.lines == ["12:02:30 W firing (first notification) +X"]
    assert not stage.book.groups


PAGER_FIRST = Inhibition((Matcher("severity", ("critical",)),), (Matcher("severity", ("warning",)),), ("task",))


def test_v4_source_and_target_start_in_one_tick() -> None:
    stage = Stage(rules(names=("X", "Y"), inhibitions=(PAGER_FIRST,)))
    lasting(stage, "12:00:00", "12:30:00", alertname="Y", severity="warning", task="a")
    lasting(stage, "12:00:00", "12:30:00", alertname="X", severity="critical", task="a")
    stage.play(t("14:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X/a",
        "12:30:30 W resolved (all alerts resolved) -X/a",
    ]


def test_inhibition_wants_equal_labels_and_ends_with_its_source() -> None:
    stage = Stage(rules(names=("X", "Y"), inhibitions=(PAGER_FIRST,)))
    lasting(stage, "12:00:00", None, alertname="Y", severity="warning", task="a")
    lasting(stage, "12:00:00", None, alertname="Y", severity="warning", task="b")
    lasting(stage, "12:00:00", "12:11:00", alertname="X", severity="critical", task="a")
    stage.play(t("13:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X/a",
        "12:00:30 W firing (first notification) +Y/b",
        "12:15:30 W resolved (all alerts resolved) -X/a",
        "12:15:30 W firing (new alerts added) +Y/a +Y/b",
    ]


def test_only_what_fires_inhibits() -> None:
    stage = Stage(rules(names=("X", "Y"), inhibitions=(PAGER_FIRST,)))
    lasting(stage, "12:00:00", None, alertname="Y", severity="warning", task="a")
    fired = Stage().fire(t("12:00:00"), alertname="X", severity="critical", task="a")
    pending = replace(fired, state=State.PENDING, fired_at=0)
    stage.draft(lambda draft: draft.put(Kind.ALERT, pending.fingerprint, pending))
    stage.play(t("12:10:00"))
    assert stage.lines == ["12:00:30 W firing (first notification) +Y/a"]


def test_what_matches_both_sides_does_not_inhibit_its_like() -> None:
    both = Inhibition((Matcher("alertname", ("*",)),), (Matcher("alertname", ("X", "Y")),), ("target",))
    stage = Stage(rules(names=("X", "Y"), inhibitions=(both,)))
    lasting(stage, "12:00:00", None, alertname="X")
    lasting(stage, "12:00:00", None, alertname="Y")
    stage.play(t("12:01:00"))
    assert len(stage.lines) == 2


def test_an_absent_label_is_an_empty_one_for_inhibition() -> None:
    stage = Stage(rules(names=("X", "Y"), inhibitions=(PAGER_FIRST,)))
    lasting(stage, "12:00:00", None, alertname="X", severity="critical")
    lasting(stage, "12:00:00", None, alertname="Y", severity="warning")
    stage.play(t("12:01:00"))
    assert stage.lines == ["12:00:30 W firing (first notification) +X"]


def test_v5_continue_tells_both_receivers_once() -> None:
    tree = route(children=(route(receiver="P", path="0/0", continue_=True), route(receiver="Q", path="0/1")))
    stage = Stage(rules(tree))
    lasting(stage, "12:00:00", None)
    stage.play(t("13:00:00"))
    assert stage.lines == [
        "12:00:30 P firing (first notification) +X",
        "12:00:30 Q firing (first notification) +X",
    ]


def test_without_routes_nobody_is_told() -> None:
    stage = Stage(RuleSet(groups=rules().groups))
    lasting(stage, "12:00:00", "12:10:00")
    stage.play(t("13:00:00"))
    assert stage.lines == []
    assert not stage.book.groups


def test_an_alert_that_is_older_than_the_wait_is_told_at_once() -> None:
    stage = Stage()
    stage.fire(t("12:02:00"))
    assert len(stage.step(t("12:10:00"))) == 1


def test_after_a_long_absence_the_grid_is_the_same() -> None:
    stage = Stage()
    alert = stage.fire(t("12:02:00"))
    stage.run(t("12:04:00"), t("12:02:00"))
    stage.end(t("13:00:10"), alert)
    other = stage.fire(t("13:00:10"), task="b")
    stage.run(t("13:01:00"), t("13:00:10"))
    stage.end(t("13:01:00"), other)
    stage.run(t("13:30:00"), t("13:01:00"))
    assert [line[:8] for line in stage.lines] == ["12:02:30", "13:00:10", "13:02:30"]


def test_a_clock_that_is_set_back_does_not_stop_a_group() -> None:
    stage = Stage()
    alert = stage.fire(t("12:02:00"))
    stage.run(t("12:04:00"), t("12:02:00"))
    stage.end(t("11:00:00"), alert)
    stage.run(t("11:10:00"), t("11:00:00"))
    assert stage.lines[1:] == ["11:00:00 W resolved (all alerts resolved) -X"]


def test_a_group_that_comes_back_has_other_ids() -> None:
    stage = Stage()
    for hour in ("12", "13"):
        lasting(stage, f"{hour}:00:00", f"{hour}:10:00")
    stage.play(t("15:00:00"))
    assert len({each.id for each in stage.told}) == 4
    assert {each.group_key for each in stage.told} == {'W/0{alertname="X",target="shop"}'}
    assert [each.seq for each in stage.told] == sorted({each.seq for each in stage.told})


def test_an_alert_that_fires_again_before_its_end_was_told_is_no_news() -> None:
    stage = Stage()
    lasting(stage, "12:00:00", "12:02:00")
    lasting(stage, "12:03:00", "12:08:00")
    stage.play(t("15:00:00"))
    assert [line[:16] for line in stage.lines] == ["12:00:30 W firin", "12:10:30 W resol"]


def test_the_first_minutes_of_a_state_are_one_message_a_route() -> None:
    stage = Stage(rules(route(startup_summarize=True), names=("X", "Y", "Z")), started=False)
    stage.at(t("12:00:00"), lambda: None)
    lasting(stage, "12:01:00", "12:20:00", alertname="X")
    lasting(stage, "12:01:00", None, alertname="Y")
    lasting(stage, "12:04:00", None, alertname="Z")
    lasting(stage, "12:07:00", None, alertname="Z", target="other")
    stage.play(t("13:00:00"))
    assert stage.lines == [
        "12:01:30 W firing (first notification) +X +Y",
        "12:06:30 W firing (new alerts added) +X +Y +Z",
        "12:07:30 W firing (first notification) +Z",
        "12:21:30 W firing (some alerts resolved) +Y +Z -X",
    ]


def test_the_first_minutes_are_five_and_no_more() -> None:
    stage = Stage(rules(route(startup_summarize=True), names=("X", "Y", "Z")), started=False)
    stage.at(t("12:00:00"), lambda: None)
    lasting(stage, "12:04:59", None, alertname="X")
    lasting(stage, "12:04:59", None, alertname="Y")
    lasting(stage, "12:05:00", None, alertname="Z")
    stage.play(t("12:06:00"))
    assert stage.lines == [
        "12:05:29 W firing (first notification) +X +Y",
        "12:05:30 W firing (first notification) +Z",
    ]


def test_who_was_told_of_in_the_first_minutes_stays_in_that_group_while_it_comes_and_goes() -> None:
    stage = Stage(rules(route(startup_summarize=True), names=("X", "Y")), started=False)
    stage.at(t("12:00:00"), lambda: None)
    lasting(stage, "12:01:00", "12:07:10", alertname="X")
    lasting(stage, "12:01:00", None, alertname="Y")
    lasting(stage, "12:08:00", None, alertname="X")
    stage.play(t("12:30:00"))
    assert stage.lines == ["12:01:30 W firing (first notification) +X +Y"]


def test_a_state_that_ran_before_does_not_summarise() -> None:
    stage = Stage(rules(route(startup_summarize=True), names=("X", "Y")))
    lasting(stage, "12:01:00", None, alertname="X")
    lasting(stage, "12:01:00", None, alertname="Y")
    stage.play(t("12:02:00"))
    assert len(stage.lines) == 2


def test_an_alert_that_fires_for_want_of_data_says_so() -> None:
    ruleset = rules(on_no_data=OnNoData.FIRING)
    stage = Stage(ruleset)
    alert = stage.fire(t("12:00:00"))
    stage.firing[alert.fingerprint] = replace(alert, previous=Outcome.NO_DATA)
    stage.run(t("12:01:00"), t("12:00:00"))
    assert stage.told[0].alerts[0].reason == "no_data"


def test_kinds_follow_what_is_listed() -> None:
    stage = Stage()
    lasting(stage, "12:00:00", None, task="a")
    lasting(stage, "12:00:00", "12:01:00", task="b")
    stage.play(t("12:10:00"))
    assert [(each.kind, each.is_firing) for each in stage.told] == [(NoticeKind.FIRING, True)] * 2
    assert stage.lines[1] == "12:05:30 W firing (some alerts resolved) +X/a -X/b"
