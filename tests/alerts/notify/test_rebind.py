"""Other routes while alerts fire: nothing is told twice, and whoever was told of an alert is told of its end."""

from __future__ import annotations

import pytest

from notify_stage import Stage, rules, silence, t
from triggerdev_alerts.instants import HOUR, MINUTE
from triggerdev_alerts.rules.model import Matcher, ReceiverConfig, Route, RuleSet


def root(receiver: str = "W", *children: Route, **settings: object) -> Route:
    wanted = {"startup_summarize": False, "children": children} | settings
    return Route(receiver=receiver, path="0", **wanted)  # type: ignore[arg-type]


def known(routes: Route | None, *receivers: str) -> RuleSet:
    configs = {name: ReceiverConfig(name, "webhook", None) for name in receivers}
    return rules(routes, receivers=configs)


def firing_since_noon(routes: Route, *receivers: str) -> Stage:
    stage = Stage(known(routes, *receivers))
    stage.fire(t("12:00:00"), task="a")
    stage.run(t("12:08:00"), t("12:00:00"))
    return stage


def end(stage: Stage, at: str) -> None:
    for alert in list(stage.firing.values()):
        stage.end(t(at), alert)


@pytest.mark.parametrize("send", [True, False])
def test_v6_unchanged_routes_change_nothing(send: bool) -> None:
    tree = root("W", Route(receiver="P", path="0/0", match=(Matcher("task", ("a",)),), continue_=True, group_by=()))
    stage = firing_since_noon(tree, "W", "P")
    stage.draft(lambda draft: silence(draft, "task=a", t("12:08:00"), HOUR))
    if send:
        stage.run(t("12:20:00"), t("12:09:00"))
    before = dict(stage.book.groups)
    told = list(stage.told)
    stage.reload(known(tree, "W", "P"), t("12:20:00"))
    assert stage.book.groups == before
    stage.run(t("12:22:00"), t("12:20:00"))
    assert stage.told == told


def test_another_grouping_takes_along_what_was_told() -> None:
    stage = firing_since_noon(root())
    stage.reload(known(root(group_by=("task",)), "W"), t("12:09:00"))
    assert list(stage.book.groups) == ['W/0{task="a"}']
    stage.at(t("12:31:00"), lambda: end(stage, "12:31:00"))
    stage.run(t("13:00:00"), t("12:09:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X/a",
        "12:35:30 W resolved (all alerts resolved) -X/a",
    ]
    assert stage.told[1].group_key == 'W/0{task="a"}'


def test_a_group_that_moved_repeats_when_it_would_have() -> None:
    stage = firing_since_noon(root())
    child = Route(receiver="W", path="0/0", group_by=("alertname", "target"))
    stage.reload(known(root("W", child), "W"), t("12:09:00"))
    stage.run(t("17:00:00"), t("12:09:00"))
    assert stage.lines[1:] == ["16:00:30 W firing (repeat interval elapsed) +X/a"]


def test_another_receiver_is_told_and_the_old_one_hears_the_end() -> None:
    stage = firing_since_noon(root("W"))
    stage.reload(known(root("P"), "W", "P"), t("12:09:00"))
    stage.at(t("18:00:00"), lambda: end(stage, "18:00:00"))
    stage.run(t("19:00:00"), t("12:09:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +X/a",
        "12:09:00 P firing (first notification) +X/a",
        "16:09:00 P firing (repeat interval elapsed) +X/a",
        "18:00:30 W resolved (all alerts resolved) -X/a",
        "18:04:00 P resolved (all alerts resolved) -X/a",
    ]


def test_there_and_back_tells_nobody_anything() -> None:
    stage = firing_since_noon(root("W"))
    stage.reload(known(root("P", group_wait=30 * MINUTE), "W", "P"), t("12:09:00"))
    stage.reload(known(root("W"), "W", "P"), t("12:10:00"))
    stage.run(t("13:00:00"), t("12:10:00"))
    assert len(stage.told) == 1


def test_a_receiver_that_is_gone_is_told_nothing_more() -> None:
    stage = firing_since_noon(root("W"))
    stage.reload(known(root("P"), "P"), t("12:09:00"))
    stage.at(t("12:31:00"), lambda: end(stage, "12:31:00"))
    stage.run(t("13:00:00"), t("12:09:00"))
    assert [line.split()[1] for line in stage.lines] == ["W", "P", "P"]


def test_an_end_that_was_not_told_yet_moves_too() -> None:
    stage = firing_since_noon(root("W"))
    end(stage, "12:09:00")
    stage.step(t("12:09:00"))
    stage.reload(known(root("W", group_by=()), "W"), t("12:10:00"))
    stage.run(t("13:00:00"), t("12:10:00"))
    assert stage.lines[1:] == ["12:10:30 W resolved (all alerts resolved) -X/a"]


def test_a_new_route_that_continues_is_told_of_what_fires() -> None:
    stage = firing_since_noon(root("W"))
    children = (Route(receiver="P", path="0/0", continue_=True), Route(receiver="W", path="0/1"))
    stage.reload(known(root("W", *children), "W", "P"), t("12:09:00"))
    stage.run(t("13:00:00"), t("12:09:00"))
    assert stage.lines[1:] == ["12:09:00 P firing (first notification) +X/a"]


def test_a_shorter_repeat_interval_counts_from_the_last_message() -> None:
    stage = firing_since_noon(root("W"))
    stage.reload(known(root("W", repeat_interval=HOUR), "W"), t("12:09:00"))
    stage.run(t("13:30:00"), t("12:09:00"))
    assert stage.lines[1:] == ["13:00:30 W firing (repeat interval elapsed) +X/a"]


def test_a_repeat_that_is_late_by_the_new_interval_waits_for_the_grid() -> None:
    stage = firing_since_noon(root("W"))
    stage.run(t("14:02:00"), t("12:09:00"))
    stage.reload(known(root("W", repeat_interval=HOUR), "W"), t("14:02:00"))
    stage.run(t("14:30:00"), t("14:02:00"))
    assert stage.lines[1:] == ["14:05:30 W firing (repeat interval elapsed) +X/a"]


def test_without_routes_every_group_is_dropped_and_comes_back_as_new() -> None:
    stage = firing_since_noon(root("W"))
    stage.reload(RuleSet(groups=stage.ruleset.groups), t("12:09:00"))
    assert not stage.book.groups
    stage.reload(known(root("W"), "W"), t("12:10:00"))
    stage.run(t("12:11:00"), t("12:10:00"))
    assert stage.lines[1:] == ["12:10:00 W firing (first notification) +X/a"]
    assert stage.told[0].id != stage.told[1].id


def test_a_digest_for_a_receiver_that_is_gone_is_forgotten() -> None:
    stage = Stage(rules(root("W", group_by=("task",)), flood_ceiling=1))
    for task in "abc":
        stage.fire(t("12:00:00"), task=task)
    stage.run(t("12:01:00"), t("12:00:00"))
    assert stage.book.receivers["W"].collapsed
    stage.reload(known(root("P"), "P"), t("12:02:00"))
    assert not stage.book.receivers["W"].collapsed


def test_the_first_message_of_a_state_stays_one_group() -> None:
    tree = root("W", startup_summarize=True)
    stage = Stage(rules(tree, names=("X", "Y")), started=False)
    stage.fire(t("12:00:00"), alertname="X")
    stage.fire(t("12:00:00"), alertname="Y")
    stage.run(t("12:09:00"), t("12:00:00"))
    stage.reload(rules(tree, names=("X", "Y")), t("12:09:00"))
    stage.run(t("13:00:00"), t("12:09:00"))
    assert stage.lines == ["12:00:30 W firing (first notification) +X +Y"]
