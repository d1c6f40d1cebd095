"""What holds for every story: alerts that come and go, silences, inhibition, flapping, mutes, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from notify_stage import Stage, line, rules, silence, t
from triggerdev_alerts.instants import MINUTE, SECOND
from triggerdev_alerts.notification import NoticeKind, Notification, Why
from triggerdev_alerts.rules.model import Backoff, Flapping, Inhibition, Matcher, Route, RuleSet, TimeRange

START = t("00:00:00")
LONG = 600 * SECOND
NAMES = ("X", "Y")
TASKS = ("a", "b", "c")


@dataclass(frozen=True)
class Story:
    """`toggles`: (second, alertname, task); `silences`: (second, matchers). All is over after ten minutes."""

    ruleset: RuleSet
    toggles: tuple[tuple[int, str, str], ...]
    silences: tuple[tuple[int, str], ...]
    reverse: bool = False


def route(path: str, receiver: str, **more: object) -> Route:
    timing = {"group_wait": 3 * SECOND, "group_interval": 10 * SECOND, "repeat_interval": 37 * SECOND}
    return Route(receiver=receiver, path=path, startup_summarize=False, **(timing | more))  # type: ignore[arg-type]


@st.composite
def rulesets(draw: st.DrawFn, *, ends: bool = True) -> RuleSet:
    more: dict[str, object] = {
        "group_by": draw(st.sampled_from([("alertname",), ("task",), ()])),
        "mute": draw(st.sampled_from([(), ("minute",)])),
        "repeat_backoff": draw(st.sampled_from([Backoff(), Backoff(2, 2 * MINUTE)])),
        "send_resolved": ends or draw(st.booleans()),
        "send_resolved_when_muted": draw(st.booleans()),
    }
    child = route("0/0", "P", match=(Matcher("task", ("a", "b")),), continue_=draw(st.booleans()), **more)
    return rules(
        route("0", "W", children=(child, route("0/1", "W")), **more),
        names=NAMES,
        flapping=draw(st.sampled_from([None, Flapping(changes=4, window=60 * SECOND, stable=25 * SECOND)])),
        inhibitions=draw(
            st.sampled_from([(), (Inhibition((Matcher("alertname", ("X",)),), (Matcher("task", ("*",)),), ("task",)),)])
        ),
        time_intervals={"minute": (TimeRange(times=((1, 3),)),)},
        flood_ceiling=0,
    )


@st.composite
def stories(draw: st.DrawFn, *, ends: bool = True) -> Story:
    second = st.integers(0, 240)
    toggles = draw(
        st.lists(
            st.tuples(second, st.sampled_from(NAMES), st.sampled_from(TASKS)), min_size=1, max_size=25, unique=True
        )
    )
    silences = draw(
        st.lists(st.tuples(second, st.sampled_from(["task=a", "alertname=X", "target=shop task!=b"])), max_size=2)
    )
    return Story(draw(rulesets(ends=ends)), tuple(toggles), tuple(silences))


def play(story: Story, *, each: int = 0) -> Stage:
    stage = Stage(story.ruleset)
    toggles = reversed(story.toggles) if story.reverse else story.toggles
    for second, name, task in toggles:
        at = START + second * SECOND
        stage.at(at, lambda at=at, name=name, task=task: stage.toggle(at, alertname=name, task=task))  # type: ignore[misc]
    for second, text in story.silences:
        at = START + second * SECOND
        stage.at(at, lambda at=at, text=text: stage.draft(lambda draft: silence(draft, text, at, MINUTE)))  # type: ignore[misc]
    last = START + 300 * SECOND
    stage.at(START, lambda: None)
    stage.at(last, lambda: [stage.end(last, alert) for alert in list(stage.firing.values())])
    stage.play(START + LONG, each=each)
    return stage


@settings(max_examples=25, deadline=None)
@given(stories(ends=False))
def test_driven_by_next_due_or_by_every_second_is_the_same(story: Story) -> None:
    assert play(story).told == play(story, each=SECOND).told


@settings(max_examples=60, deadline=None)
@given(stories(ends=False))
def test_the_order_of_transitions_in_one_tick_does_not_matter(story: Story) -> None:
    other = Story(story.ruleset, story.toggles, story.silences, reverse=True)
    assert play(story).told == play(other).told


@settings(max_examples=100, deadline=None)
@given(stories())
def test_whoever_was_told_of_an_alert_is_told_of_its_end(story: Story) -> None:
    stage = play(story)
    last: dict[tuple[str, str, str], str] = {}
    for each in stage.told:
        for alert in each.alerts:
            status = "flapping" if each.kind is NoticeKind.FLAPPING else alert.status
            last[each.receiver, each.group_key, alert.fingerprint] = status
    assert set(last.values()) <= {"resolved"}
    assert not stage.book.groups


@settings(max_examples=100, deadline=None)
@given(stories())
def test_nobody_is_told_the_same_twice_without_a_reason(story: Story) -> None:
    by_group: dict[str, list[Notification]] = {}
    for each in play(story).told:
        by_group.setdefault(each.group_key, []).append(each)
    for told in by_group.values():
        assert len({each.id for each in told}) == len(told)
        assert [each.seq for each in told] == sorted(each.seq for each in told)
        for before, after in pairwise(told):
            if _said(before) == _said(after):
                assert after.why in (Why.REPEAT, Why.MUTE_ENDED), [line(before), line(after)]


def _said(notification: Notification) -> tuple[NoticeKind, frozenset[tuple[str, str]]]:
    return notification.kind, frozenset((alert.fingerprint, alert.status) for alert in notification.alerts)


@settings(max_examples=100, deadline=None)
@given(stories())
def test_what_is_told_as_firing_fires_and_is_not_withheld(story: Story) -> None:
    silences = [(START + at * SECOND, text) for at, text in story.silences]
    routes = story.ruleset.routes
    assert routes is not None
    for each in play(story).told:
        firing = [alert for alert in each.alerts if alert.status == "firing"]
        assert all(alert.starts_at <= each.at for alert in firing)
        # The child that grouped as drawn and the root are muted in minutes 1 and 2; the other child never is.
        is_muted = routes.mute and START + MINUTE <= each.at < START + 3 * MINUTE and "W/0/1" not in each.group_key
        assert not (is_muted and firing)
        if any(at <= each.at < at + MINUTE and text == "task=a" for at, text in silences):
            assert not any(alert.label("task") == "a" for alert in firing)


@settings(max_examples=100, deadline=None)
@given(stories())
def test_a_group_keeps_its_distance(story: Story) -> None:
    """Two messages of one group are a group interval apart, but for repetitions and what is told beside flapping."""
    by_group: dict[str, list[Notification]] = {}
    for each in play(story).told:
        by_group.setdefault(each.group_key, []).append(each)
    for told in by_group.values():
        for one, two, three in zip(told, told[1:], told[2:], strict=False):
            if NoticeKind.FLAPPING not in (one.kind, two.kind, three.kind) and one.seq + 2 == three.seq:
                assert three.at - one.at >= 10 * SECOND
