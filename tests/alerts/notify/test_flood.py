"""The ceiling of a receiver: what is beyond is told in a digest, once, and nothing is lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from notify_stage import Stage, rules, t
from triggerdev_alerts.instants import MINUTE, SECOND
from triggerdev_alerts.notification import NoticeKind
from triggerdev_alerts.rules.model import Route

NAMES = tuple("ABCDE")


def stage_with(ceiling: int, **settings_: object) -> Stage:
    route = Route(receiver="W", path="0", startup_summarize=False, **settings_)  # type: ignore[arg-type]
    return Stage(rules(route, names=NAMES, flood_ceiling=ceiling))


def test_what_is_beyond_the_ceiling_is_one_digest_when_there_is_room() -> None:
    stage = stage_with(2)
    for name in "ABCD":
        stage.fire(t("12:00:00"), alertname=name, severity="critical" if name == "D" else "warning")
    stage.run(t("13:00:00"), t("12:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +D",
        "12:00:30 W firing (first notification) +A",
        "12:10:30 W digest (digest) +B +C",
    ]
    digest = stage.told[-1]
    assert digest.groups == (
        "alertname=B target=shop: firing, 1 alert (first notification): B on nothing",
        "alertname=C target=shop: firing, 1 alert (first notification): C on nothing",
    )
    assert (digest.group_key, digest.is_firing, digest.truncated) == ("W/digest", True, 0)
    assert not stage.book.receivers["W"].collapsed


def test_the_newest_of_a_group_is_in_the_digest_also_if_it_is_its_end() -> None:
    stage = stage_with(1)
    stage.fire(t("12:00:00"), alertname="A")
    gone = stage.fire(t("12:00:00"), alertname="B")
    stage.at(t("12:01:00"), lambda: stage.end(t("12:01:00"), gone))
    stage.run(t("13:00:00"), t("12:00:00"))
    assert stage.lines[1:] == ["12:10:30 W digest (digest) -B"]
    assert stage.told[1].groups == ("alertname=B target=shop: resolved, 1 alert (all alerts resolved): B on nothing",)


def test_the_end_of_a_group_that_was_told_is_told_too() -> None:
    stage = stage_with(1)
    known = stage.fire(t("12:00:00"), alertname="A")
    stage.at(t("12:01:00"), lambda: stage.end(t("12:01:00"), known))
    stage.run(t("13:00:00"), t("12:00:00"))
    assert stage.lines == ["12:00:30 W firing (first notification) +A", "12:10:30 W digest (digest) -A"]


def test_the_digest_goes_before_anything_newer_and_counts() -> None:
    stage = stage_with(1)
    for minute, name in enumerate("ABC"):
        at = t("12:00:00") + minute * MINUTE
        stage.at(at, lambda at=at, name=name: stage.fire(at, alertname=name))  # type: ignore[misc]
    at = t("12:10:00")
    stage.at(at, lambda: stage.fire(at, alertname="D"))
    stage.play(t("13:00:00"))
    assert stage.lines == [
        "12:00:30 W firing (first notification) +A",
        "12:10:30 W digest (digest) +B +C",
        "12:20:30 W digest (digest) +D",
    ]


def test_receivers_have_ceilings_of_their_own_and_zero_is_none() -> None:
    for ceiling, told in ((1, 2), (0, 10)):
        tree = Route(
            receiver="W",
            path="0",
            children=tuple(Route(receiver=name, path=f"0/{n}", continue_=True) for n, name in enumerate("PQ")),
        )
        stage = Stage(rules(tree, names=NAMES, flood_ceiling=ceiling))
        for name in NAMES:
            stage.fire(t("12:00:00"), alertname=name)
        stage.run(t("12:01:00"), t("12:00:00"))
        assert len(stage.told) == told


def test_a_long_digest_says_how_much_it_leaves_out() -> None:
    stage = stage_with(1, group_by=("task",))
    for number in range(130):
        stage.fire(t("12:00:00"), task=f"{number:03d}")
    stage.run(t("12:11:00"), t("12:00:00"))
    digest = stage.told[-1]
    assert len(digest.groups) == 101
    assert digest.groups[-1] == "and 29 more groups"
    assert (len(digest.alerts), digest.truncated) == (100, 29)


def test_a_long_line_is_cut() -> None:
    stage = stage_with(1)
    stage.fire(t("12:00:00"), alertname="A")
    stage.fire(t("12:00:00"), alertname="B", task="x" * 400)
    stage.run(t("12:11:00"), t("12:00:00"))
    assert len(stage.told[-1].groups[0]) == 300
    assert stage.told[-1].groups[0].endswith("x…")


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.sampled_from(NAMES)), min_size=1, max_size=30),
    st.integers(1, 4),
)
def test_no_window_has_more_than_the_ceiling_and_the_last_word_on_every_group_arrives(
    toggles: list[tuple[int, str]], ceiling: int
) -> None:
    free, bound = (_played(toggles, limit) for limit in (0, ceiling))
    for told in bound.told:
        window = [each for each in bound.told if told.at - 10 * MINUTE < each.at <= told.at]
        assert len(window) <= ceiling
    assert _last_words(bound) == _last_words(free)
    assert len({each.id for each in bound.told}) == len(bound.told)


def _played(toggles: list[tuple[int, str]], ceiling: int) -> Stage:
    stage = stage_with(ceiling, group_wait=3 * SECOND, group_interval=20 * SECOND, repeat_interval=10_000 * SECOND)
    start = t("12:00:00")
    for second, name in toggles:
        at = start + second * SECOND
        stage.at(at, lambda at=at, name=name: stage.toggle(at, alertname=name))  # type: ignore[misc]
    stage.play(start + 6000 * SECOND)
    return stage


def _last_words(stage: Stage) -> dict[str, str]:
    words: dict[str, str] = {}
    for each in stage.told:
        if each.kind is NoticeKind.DIGEST:
            words.update({alert.label("alertname"): alert.status for alert in each.alerts})
        else:
            words[each.alerts[0].label("alertname")] = each.alerts[0].status
    return words
