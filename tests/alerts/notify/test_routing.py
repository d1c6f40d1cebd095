"""Matchers, the walk down the tree, and the names of groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify_stage import labels_of
from triggerdev_alerts.notify.matching import matches
from triggerdev_alerts.notify.routing import (
    Verdict,
    explain,
    group_key,
    group_labels,
    route_of,
    routes_by_path,
    routes_of,
)
from triggerdev_alerts.rules.model import Matcher, Route

MAIL = labels_of(alertname="X", task="mail.send", owner="platform", severity="warning")


@pytest.mark.parametrize(
    ("matcher", "fits"),
    [
        (Matcher("task", ("mail.*",)), True),
        (Matcher("task", ("bill*", "mail.send")), True),
        (Matcher("task", ("Mail.send",)), False),
        (Matcher("task", ("mail?send",)), True),
        (Matcher("task", ("mail",)), False),
        (Matcher("task", ("mail.*",), negative=True), False),
        (Matcher("task", ("bill*",), negative=True), True),
        (Matcher("queue", ("",)), True),
        (Matcher("queue", ("*",)), True),
        (Matcher("queue", ("?*",)), False),
        (Matcher("queue", ("",), negative=True), False),
        (Matcher("queue", ("x",), negative=True), True),
        (Matcher("task", ()), False),
        (Matcher("task", (), negative=True), True),
    ],
)
def test_matchers(matcher: Matcher, fits: bool) -> None:
    assert matches(matcher, MAIL) is fits


def node(path: str, *children: Route, continue_: bool = False, **match: str) -> Route:
    matchers = tuple(Matcher(label, (glob,)) for label, glob in match.items())
    return Route(receiver=f"r{path}", path=path, match=matchers, continue_=continue_, children=children)


TREE = node(
    "0",
    node("0/0", node("0/0/0", task="mail*"), node("0/0/1"), owner="platform", continue_=True),
    node("0/1", severity="critical"),
    node("0/2", node("0/2/0", task="bill*"), severity="warning"),
    node("0/3"),
)


@pytest.mark.parametrize(
    ("labels", "paths"),
    [
        (MAIL, ["0/0/0", "0/2"]),
        (labels_of(owner="platform", task="x", severity="critical"), ["0/0/1", "0/1"]),
        (labels_of(severity="warning", task="bill"), ["0/2/0"]),
        (labels_of(severity="info"), ["0/3"]),
        ((), ["0/3"]),
    ],
)
def test_the_deepest_routes_that_match(labels: tuple[tuple[str, str], ...], paths: list[str]) -> None:
    assert [route.path for route in routes_of(labels, TREE)] == paths


def test_a_root_that_matches_nothing_has_no_receiver() -> None:
    assert routes_of(MAIL, node("0", owner="nobody")) == ()


def test_explain_names_every_node_and_what_failed() -> None:
    assert [(trial.route.path, trial.depth, trial.verdict, trial.says) for trial in explain(MAIL, TREE)] == [
        ("0", 0, Verdict.PASSED_ON, "a route below it matches"),
        ("0/0", 1, Verdict.PASSED_ON, "a route below it matches"),
        ("0/0/0", 2, Verdict.CHOSEN, "sent to r0/0/0"),
        ("0/0/1", 2, Verdict.SKIPPED, "route 0/0/0 took it, without continue"),
        ("0/1", 1, Verdict.REFUSED, 'severity is "warning", it must match "critical"'),
        ("0/2", 1, Verdict.CHOSEN, "sent to r0/2, no route below it matches"),
        ("0/2/0", 2, Verdict.REFUSED, 'task is "mail.send", it must match "bill*"'),
        ("0/3", 1, Verdict.SKIPPED, "route 0/2 took it, without continue"),
    ]


def test_explain_tells_of_labels_that_are_not_there_and_of_negative_matchers() -> None:
    route = Route(receiver="r", path="0", match=(Matcher("queue", ("a", "b")),))
    assert explain(MAIL, route)[0].says == 'there is no queue, it must match "a" or "b"'
    route = Route(receiver="r", path="0", match=(Matcher("task", ("mail*",), negative=True),))
    assert explain(MAIL, route)[0].says == 'task is "mail.send", it must not match "mail*"'
    assert explain(MAIL, route)[0].failed == route.match[0]


def test_keys_can_be_read() -> None:
    route = Route(receiver="ops-slack", path="0/1", group_by=("alertname", "owner", "queue"))
    assert group_labels(route, MAIL) == (("alertname", "X"), ("owner", "platform"))
    assert group_key(route, MAIL) == 'ops-slack/0/1{alertname="X",owner="platform"}'
    assert group_key(route, group_labels(route, MAIL)) == group_key(route, MAIL)
    assert group_key(Route(receiver="on call", path="0"), ()) == '"on call"/0{}'


def test_grouping_by_everything() -> None:
    assert group_labels(Route(receiver="r", path="0", group_by=("...",)), MAIL) == MAIL


TEXT = st.text(st.sampled_from('ab{}",=/\\'), max_size=4)


@given(TEXT, TEXT, TEXT, TEXT)
def test_different_groups_have_different_keys(receiver: str, value: str, other: str, that: str) -> None:
    def key(name: str, a: str, b: str) -> str:
        return group_key(Route(receiver=name, path="0", group_by=("a", "b")), labels_of(a=a, b=b))

    assert (key(receiver, value, other) == key(that, other, value)) == (receiver == that and value == other)


def test_a_group_whose_route_is_gone_has_defaults() -> None:
    routes = routes_by_path(TREE)
    assert route_of("r0/1", "0/1", routes) is TREE.children[1]
    assert route_of("other", "0/1", routes) == Route(receiver="other", path="0/1")
    assert route_of("r", "0/9", routes_by_path(None)) == Route(receiver="r", path="0/9")
