"""Who hears that a receiver fails, as a table."""

from __future__ import annotations

import pytest

from notify_stage import Stage, labels_of, rules, t
from triggerdev_alerts.alert import Labels
from triggerdev_alerts.notify.fallback import recipients
from triggerdev_alerts.rules.model import ReceiverConfig, Route, RuleSet

BOTH = Route(
    receiver="W",
    path="0",
    startup_summarize=False,
    children=(Route(receiver="W", path="0/0", continue_=True), Route(receiver="S", path="0/1")),
)
ONE = Route(receiver="W", path="0", startup_summarize=False)
ABOUT_W = labels_of(alertname="NotifierFailing", severity="critical", receiver="W")
ABOUT_F = labels_of(alertname="NotifierFailing", severity="critical", receiver="F")
OTHER = labels_of(alertname="X", target="shop", receiver="W")


@pytest.mark.parametrize(
    ("labels", "routes", "fallback", "told"),
    [
        (ABOUT_W, ONE, "F", ["F"]),
        (ABOUT_W, BOTH, "F", ["S", "F"]),
        (ABOUT_W, BOTH, "S", ["S"]),
        (ABOUT_W, BOTH, None, ["S"]),
        (ABOUT_W, ONE, None, ["W"]),
        (ABOUT_W, ONE, "W", ["W"]),
        (ABOUT_F, ONE, "F", ["W"]),
        (ABOUT_W, None, "F", []),
        (OTHER, BOTH, "F", ["W", "S"]),
        (labels_of(alertname="RuleEvaluationFailing", rule="g/x"), ONE, "F", ["W"]),
    ],
)
def test_who_hears_of_a_receiver_that_fails(
    labels: Labels, routes: Route | None, fallback: str | None, told: list[str]
) -> None:
    assert [route.receiver for route in recipients(labels, RuleSet(routes=routes, fallback=fallback))] == told


def test_the_fallback_is_a_group_like_others_and_stays_one_over_a_reload() -> None:
    known = {name: ReceiverConfig(name, "webhook", None) for name in ("W", "F")}
    ruleset = rules(ONE, receivers=known, fallback="F")
    stage = Stage(ruleset)
    failing = stage.fire(t("12:00:00"), target="", receiver="W")
    stage.run(t("12:03:00"), t("12:00:00"))
    stage.reload(ruleset, t("12:03:00"))
    stage.at(t("12:11:00"), lambda: stage.end(t("12:11:00"), failing))
    stage.run(t("13:00:00"), t("12:03:00"))
    assert stage.lines == [
        "12:00:30 F firing (first notification) +X",
        "12:15:30 F resolved (all alerts resolved) -X",
    ]
