"""Final labels: which, in which order, how large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation_stage import condition
from triggerdev_alerts.evaluation.labels import bounded, labels_of_series, owner_of
from triggerdev_alerts.instants import HOUR
from triggerdev_alerts.rules.model import Rule

OWNERS = (("billing-*", "payments"), ("*", "platform"))
FAILURES = condition("failure_count", window=HOUR, above=3)


def rule(**more: object) -> Rule:
    return Rule(**{"name": "Failing", "group": "g", "when": FAILURES} | more)  # type: ignore[arg-type]


def test_the_labels_of_a_series() -> None:
    labels = labels_of_series(rule(severity="critical", labels={"team": "mail"}), "prod", OWNERS)(("billing-sync",))
    assert labels == (
        ("alertname", "Failing"),
        ("owner", "payments"),
        ("severity", "critical"),
        ("target", "prod"),
        ("task", "billing-sync"),
        ("team", "mail"),
    )


def test_empty_ones_are_left_out() -> None:
    labels = dict(labels_of_series(rule(labels={"team": ""}), "", ())(("",)))
    assert labels == {"alertname": "Failing", "severity": "warning"}


def test_the_owner_that_a_rule_names_wins() -> None:
    assert dict(labels_of_series(rule(labels={"owner": "me"}), "prod", OWNERS)(("billing-x",)))["owner"] == "me"


@pytest.mark.parametrize(
    ("dimensions", "owner"),
    [
        ({"task": "billing-sync"}, "payments"),
        ({"task": "send"}, "platform"),
        ({"queue": "task/billing-sync"}, "payments"),
        ({"queue": "emails"}, ""),
        ({"queue": "task/billing-sync", "task": "send"}, "platform"),
        ({"task": "Billing-sync"}, "platform"),
        ({}, ""),
    ],
)
def test_the_owner_of_a_series(dimensions: dict[str, str], owner: str) -> None:
    assert owner_of(dimensions, OWNERS) == owner
    assert owner_of(dimensions, ()) == ""


def test_a_long_value_is_cut_and_stays_itself() -> None:
    one, other = ({"task": "x" * 300 + end} for end in "ab")
    (_, short), (_, second) = bounded(one)[0], bounded(other)[0]
    assert len(short) == len(second) == 256
    assert short != second
    assert short[:200] == "x" * 200


def test_control_characters_go_and_values_stay_apart() -> None:
    ((_, value),) = bounded({"task": "a\x00b\u202ec\n"})
    assert value.startswith("abc~")
    assert value.isprintable()
    assert bounded({"task": "abc"}) != bounded({"task": "a\x00bc"}) != bounded({"task": "ab\x00c"})


def test_a_value_of_nothing_but_control_characters_is_told_from_none() -> None:
    assert bounded({"task": "\x00"}) != bounded({"task": ""})


def test_of_too_many_the_rules_own_give_way() -> None:
    labels = labels_of_series(rule(labels={f"l{number:02}": "x" for number in range(40)}), "prod", OWNERS)(("t",))
    assert len(labels) == 30
    assert {"alertname", "severity", "target", "task", "owner", "l00", "l24"} <= dict(labels).keys()


VALUES = st.text(st.characters(codec=None), max_size=400)


@given(st.dictionaries(st.text(max_size=80), VALUES, max_size=40))
def test_whatever_comes_labels_are_bounded_and_can_be_saved(named: dict[str, str]) -> None:
    labels = bounded(named)
    assert len(labels) <= 30
    assert list(labels) == sorted(labels)
    for name, value in labels:
        assert len(name) <= 64
        assert 0 < len(value.encode()) <= 256


@given(VALUES, VALUES)
def test_different_values_make_different_labels(one: str, other: str) -> None:
    assert (bounded({"task": one}) == bounded({"task": other})) is (one == other)
