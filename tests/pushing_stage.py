"""A book with alerts, made by hand, and the rules that they are of. For the tests of pushing."""

from __future__ import annotations

from typing import Any

from evaluation_stage import NOON, condition
from triggerdev_alerts.alert import Alert, Reason, State, fingerprint
from triggerdev_alerts.book import Book, EndedAlert, Kind
from triggerdev_alerts.instants import MINUTE, Instant
from triggerdev_alerts.rules.model import Group, Route, Rule, RuleSet

WHEN = condition("queue_depth", above=10)
RULE = Rule(
    name="Backlog",
    group="queues",
    when=WHEN,
    annotations={"summary": "{{ queue }} has {{ value }}", "note": "{{ top_error | default:'none' }}"},
)


def rules(interval: int = MINUTE, rule: Rule = RULE, **more: Any) -> RuleSet:
    routes = more.pop("routes", Route(receiver="am", path="0"))
    return RuleSet(groups=(Group("queues", (rule,), interval=interval),), routes=routes, **more)


def alert(queue: str = "emails", state: State = State.FIRING, fired: Instant = NOON, **changes: Any) -> Alert:
    labels = (("alertname", "Backlog"), ("queue", queue), ("severity", "warning"), ("target", "prod"))
    base: dict[str, Any] = {
        "fingerprint": fingerprint("queues/Backlog", labels),
        "rule": "queues/Backlog",
        "labels": labels,
        "key": (queue,),
        "target": "prod",
        "state": state,
        "active_at": fired - 2 * MINUTE,
        "fired_at": 0 if state is State.PENDING else fired,
        "value": 20.0,
        "threshold": 10.0,
    }
    return Alert(**{**base, **changes})


def book(*alerts: Alert, ended: tuple[EndedAlert, ...] = ()) -> Book:
    made = Book()
    for one in alerts:
        made.set_entry(Kind.ALERT, one.fingerprint, one)
    for each in ended:
        made.set_entry(Kind.ENDED, each.alert.fingerprint, each)
    return made


def end(at: Instant, one: Alert | None = None) -> EndedAlert:
    return EndedAlert(alert=one or alert(), at=at, reason=Reason.CONDITION_CLEARED)
