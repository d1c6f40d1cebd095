"""What Alertmanager is to be told, as tables: which alerts, from when, until when, in which words."""

from __future__ import annotations

import pytest

from evaluation_stage import NOON
from pushing_stage import WHEN, alert, book, end, rules
from triggerdev_alerts.alert import Alert, Outcome, State
from triggerdev_alerts.book import Book, Kind, Silence
from triggerdev_alerts.instants import HOUR, MINUTE, SECOND, Instant
from triggerdev_alerts.pushing.assertions import LASTS, Claim, Plan, assertion, assertions, claims
from triggerdev_alerts.receivers.alertmanager import Assertion
from triggerdev_alerts.rules.model import Inhibition, Matcher, OnNoData, Route, Rule, RuleSet
from triggerdev_alerts.signals import ErrorCount, Evidence


def told(book: Book, now: Instant, ruleset: RuleSet | None = None, delay: int = MINUTE) -> list[Assertion]:
    return list(assertions(book, ruleset or rules(), "am", delay, now))


@pytest.mark.parametrize(("state", "is_told"), [(State.PENDING, False), (State.FIRING, True), (State.RECOVERING, True)])
def test_pending_is_never_told_and_recovering_still_fires(state: State, is_told: bool) -> None:
    assert bool(told(book(alert(state=state)), NOON + MINUTE)) is is_told


def test_it_starts_when_it_fired_not_when_it_became_pending() -> None:
    (only,) = told(book(alert(fired=NOON)), NOON + 5 * MINUTE)
    assert (only.starts_at, only.ends_at) == (NOON, NOON + 9 * MINUTE)
    assert dict(only.labels) == {"alertname": "Backlog", "queue": "emails", "severity": "warning", "target": "prod"}


@pytest.mark.parametrize(
    ("interval", "delay", "period", "lasts"),
    [
        (60, 60, 60, 240),
        (30, 60, 60, 240),
        (45, 60, 90, 240),
        (50, 60, 100, 240),
        (300, 60, 300, 1200),
        (10, 25, 30, 100),
        (60, 1, 60, 240),
    ],
)
def test_it_is_told_again_at_the_first_tick_behind_the_delay_and_holds_for_four_of_the_longer(
    interval: int, delay: int, period: int, lasts: int
) -> None:
    plan = Plan(rules(interval * SECOND), "am", delay * SECOND)
    assert plan.period(alert()) == period * SECOND
    assert plan.lasts(alert()) == lasts * SECOND
    assert assertion(Claim(alert()), plan, NOON).ends_at == NOON + lasts * SECOND


def test_what_cannot_be_read_is_asserted_for_as_long_as_it_is_held() -> None:
    held = alert(stale_since=NOON + MINUTE, stale_reason="failing", previous=Outcome.ERROR)
    for now in (NOON + MINUTE, NOON + HOUR, NOON + 48 * HOUR):
        (only,) = told(book(held), now)
        assert (only.starts_at, only.ends_at) == (NOON, now + 4 * MINUTE)
        assert "held without news since" in dict(only.annotations)["says"]


@pytest.mark.parametrize(("after", "is_told"), [(0, True), (14 * MINUTE, True), (15 * MINUTE, False)])
def test_an_end_is_repeated_for_fifteen_minutes_with_its_own_time(after: int, is_told: bool) -> None:
    found = told(book(ended=(end(NOON + HOUR),)), NOON + HOUR + after)
    assert [(one.starts_at, one.ends_at) for one in found] == ([(NOON, NOON + HOUR)] if is_told else [])


def test_a_new_beginning_is_not_followed_by_an_old_end() -> None:
    """A rule that moved to another group: two alerts for us, one for Alertmanager."""
    moved = alert(fired=NOON + 10 * MINUTE, fingerprint="another", rule="other/Backlog")
    found = told(book(moved, ended=(end(NOON + 5 * MINUTE),)), NOON + 11 * MINUTE)
    assert [one.starts_at for one in found] == [NOON + 10 * MINUTE]
    twice = (end(NOON + MINUTE), end(NOON + 2 * MINUTE, alert(fingerprint="another")))
    assert [one.ends_at for one in told(book(ended=twice), NOON + 3 * MINUTE)] == [NOON + 2 * MINUTE]


def test_routes_choose_and_nothing_else_does() -> None:
    mine = Matcher("queue", ("emails",))
    routes = Route(
        receiver="ops",
        path="0",
        children=(
            Route(receiver="am", path="0/0", match=(mine,), continue_=True, mute=("always",)),
            Route(receiver="pager", path="0/1", match=(mine,)),
        ),
    )
    silence = Silence(
        id="s",
        matchers=(("alertname", False, ("*",)),),
        starts_at=0,
        ends_at=NOON + 24 * HOUR,
        author="",
        comment="",
        created_at=0,
    )
    found = book(alert("emails"), alert("other"))
    found.set_entry(Kind.SILENCE, "s", silence)
    inhibited = Inhibition((Matcher("queue", ("other",)),), (mine,))
    ruleset = rules(routes=routes, inhibitions=(inhibited,))
    assert [dict(one.labels)["queue"] for one in told(found, NOON, ruleset)] == ["emails"]
    assert told(found, NOON, rules(routes=None)) == []


def test_annotations_are_those_of_every_message() -> None:
    def evidence_of(rule: Rule, one: Alert, now: Instant) -> Evidence:
        return Evidence(errors=(ErrorCount("SmtpError", "550 mailbox full", 3),))

    plan = Plan(rules(), "am", MINUTE)
    assert dict(assertion(Claim(alert()), plan, NOON, evidence_of).annotations) == {
        "summary": "emails has 20",
        "note": "SmtpError 550 mailbox full",
        "says": "20 runs wait (above 10)",
    }
    assert dict(assertion(Claim(alert()), plan, NOON).annotations)["note"] == "none"
    own = Plan(rules(rule=Rule("Backlog", "queues", WHEN, annotations={"says": "mine"})), "am", MINUTE)
    assert dict(assertion(Claim(alert()), own, NOON).annotations)["says"] == "mine"


def test_what_fires_because_nothing_is_there_says_so() -> None:
    blind = Rule("Backlog", "queues", WHEN, on_no_data=OnNoData.FIRING)
    (only,) = told(book(alert(previous=Outcome.NO_DATA)), NOON, rules(rule=blind))
    assert dict(only.annotations)["says"].startswith("there is no data")


def test_a_rule_that_is_gone_is_told_by_its_labels() -> None:
    plan = Plan(RuleSet(routes=Route(receiver="am", path="0")), "am", MINUTE)
    (claim,) = claims(book(ended=(end(NOON + MINUTE),)), plan, NOON + 2 * MINUTE).values()
    said = assertion(claim, plan, NOON + 2 * MINUTE)
    assert (said.ends_at, dict(said.annotations)["summary"]) == (NOON + MINUTE, "queue emails in prod: Backlog")
    assert (plan.period(alert()), plan.lasts(alert())) == (MINUTE, LASTS * MINUTE)


def test_a_clock_that_was_set_back_makes_no_alert_that_ends_before_it_begins() -> None:
    (fires,) = told(book(alert(fired=NOON + HOUR)), NOON)
    assert fires.starts_at <= NOON < fires.ends_at
    (ends,) = told(book(ended=(end(NOON - HOUR, alert(fired=NOON)),)), NOON - HOUR + 1)
    assert ends.starts_at <= ends.ends_at
