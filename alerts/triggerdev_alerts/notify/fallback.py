"""Who hears that a receiver fails: rather anybody else than that receiver, and the fallback in any case. Pure."""

from __future__ import annotations

from triggerdev_alerts.alert import Labels
from triggerdev_alerts.notify.matching import label_value
from triggerdev_alerts.notify.routing import routes_of
from triggerdev_alerts.rules.model import Route, RuleSet

PATH = "fallback"
"""Of the route that nobody has to write. Its settings are the defaults."""


def recipients(labels: Labels, ruleset: RuleSet) -> tuple[Route, ...]:
    """The routes of an alert with these labels. Without any routes nobody is told anything.

    One about a receiver goes to the fallback besides, and to that receiver only if there is nobody else.
    """
    if ruleset.routes is None:
        return ()
    chosen = routes_of(labels, ruleset.routes)
    about = _receiver_it_is_about(labels)
    if not about:
        return chosen
    others = tuple(route for route in chosen if route.receiver != about)
    if ruleset.fallback not in (None, about, *(route.receiver for route in others)):
        others += (Route(receiver=ruleset.fallback or "", path=PATH, startup_summarize=False),)
    return others or chosen


def _receiver_it_is_about(labels: Labels) -> str:
    """Only what alerting says of itself has a receiver and no target."""
    return "" if label_value("target", labels) else label_value("receiver", labels)
