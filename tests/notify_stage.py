"""A stage for the notify tests: alerts are switched on and off by hand, time is a number, what is told is a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from triggerdev_alerts.alert import Alert, Change, Labels, Reason, State, Transition, fingerprint
from triggerdev_alerts.book import Book, ClockEntry, Draft, Kind
from triggerdev_alerts.conditions.keys import Condition
from triggerdev_alerts.instants import Instant
from triggerdev_alerts.notification import AlertNotice, Notification
from triggerdev_alerts.notify.dispatch import dispatch
from triggerdev_alerts.notify.flush import flush
from triggerdev_alerts.notify.matcher_text import parse_matchers
from triggerdev_alerts.notify.next_due import next_due
from triggerdev_alerts.notify.rebind import rebind
from triggerdev_alerts.notify.silences import add_silence
from triggerdev_alerts.rules.model import Flapping, Group, OnNoData, Route, Rule, RuleSet

T = TypeVar("T")
WHEN = Condition(type="queue_depth", by=("queue",))


def t(text: str) -> Instant:
    """``12:02:30`` of 2026-06-01 in UTC, or a whole date and time with a ``Z``."""
    return round(datetime.fromisoformat(text if "T" in text else f"2026-06-01T{text}Z").timestamp() * 1000)


def clock(at: Instant) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%H:%M:%S}"


def labels_of(**labels: str) -> Labels:
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def rules(
    routes: Route | None = None,
    *,
    flapping: Flapping | None = None,
    names: Iterable[str] = ("X",),
    on_no_data: OnNoData = OnNoData.KEEP_STATE,
    **settings: object,
) -> RuleSet:
    made = tuple(Rule(name=name, group="g", when=WHEN, flapping=flapping, on_no_data=on_no_data) for name in names)
    routes = routes or Route(receiver="W", path="0", startup_summarize=False)
    return RuleSet(groups=(Group("g", made),), routes=routes, **settings)  # type: ignore[arg-type]


def notice_of(alert: Alert, ended_at: Instant | None, reason: Reason) -> AlertNotice:
    return AlertNotice(
        fingerprint=alert.fingerprint,
        status="firing" if ended_at is None else "resolved",
        labels=alert.labels,
        annotations=(("summary", f"{alert.label('alertname')} on {alert.label('task') or 'nothing'}"),),
        starts_at=alert.fired_at,
        ends_at=ended_at,
        reason=reason,
    )


def silence(draft: Draft, text: str, now: Instant, duration: int) -> None:
    add_silence(draft, parse_matchers(text), duration=duration, author="ann", comment="known", now=now)


class Stage:
    """Alerting without rules and without a store: `fire` and `end` say what the evaluation would."""

    def __init__(self, ruleset: RuleSet | None = None, *, started: bool = True) -> None:
        self.ruleset = ruleset or rules()
        self.book = Book()
        if started:
            self.book.set_entry(Kind.CLOCK, "", ClockEntry(started=True))
        self.told: list[Notification] = []
        self.firing: dict[str, Alert] = {}
        self._transitions: list[Transition] = []
        self._plan: dict[Instant, list[Callable[[], object]]] = {}

    def fire(self, at: Instant, **labels: str) -> Alert:
        labels = {"alertname": "X", "target": "shop"} | labels
        rule = f"g/{labels['alertname']}"
        mark = fingerprint(rule, labels_of(**labels))
        alert = Alert(
            fingerprint=mark,
            rule=rule,
            labels=labels_of(**labels),
            key=(labels.get("task", ""),),
            target=labels["target"],
            state=State.FIRING,
            active_at=at,
            fired_at=at,
        )
        self.firing[mark] = alert
        self._transitions.append(Transition(at=at, change=Change.FIRING, reason=Reason.CONDITION_MET, alert=alert))
        return alert

    def end(self, at: Instant, alert: Alert, reason: Reason = Reason.CONDITION_CLEARED) -> None:
        del self.firing[alert.fingerprint]
        self._transitions.append(Transition(at=at, change=Change.RESOLVED, reason=reason, alert=alert))

    def toggle(self, at: Instant, **labels: str) -> None:
        """Fires if it does not, ends if it does."""
        labels = {"alertname": "X", "target": "shop"} | labels
        known = self.firing.get(fingerprint(f"g/{labels['alertname']}", labels_of(**labels)))
        if known is None:
            self.fire(at, **labels)
        elif known.fired_at != at:
            self.end(at, known)

    def step(self, now: Instant) -> list[Notification]:
        """What the engine does after the evaluation, and the commit."""
        draft = Draft(self.book)
        for transition in self._transitions:
            fired = self.firing.get(transition.alert.fingerprint)
            if fired is None:
                draft.drop(Kind.ALERT, transition.alert.fingerprint)
            else:
                draft.put(Kind.ALERT, fired.fingerprint, fired)
        dispatch(draft, self.ruleset, self._transitions, notice_of, now)
        said = flush(draft, self.ruleset, notice_of, now)
        draft.put(Kind.CLOCK, "", ClockEntry(stepped_at=now, started=True))
        self._transitions = []
        self.book.absorb(draft.changes)
        self.told += said
        return said

    def run(self, until: Instant, now: Instant) -> None:
        """Step from `now`, with what was switched since the last step, to `until`."""
        self.at(now, lambda: None)
        self.play(until)

    def at(self, instant: Instant, change: Callable[[], T]) -> Callable[[], T]:
        """Plan a change for `play`; what is returned gives its outcome once it was made."""
        outcome: list[T] = []
        self._plan.setdefault(instant, []).append(lambda: outcome.append(change()))
        return lambda: outcome[0]

    def play(self, until: Instant, *, each: int = 0) -> None:
        """Make the planned changes at their instants and step whenever something is due, to `until`.

        With `each` milliseconds it steps that often instead, due or not.
        """
        now = min(self._plan)
        while now <= until:
            for change in self._plan.pop(now, []):
                change()
            self.step(now)
            due = now + each if each else next_due(self.book, self.ruleset, now)
            assert due is None or each or due > now, "a step leaves nothing that is due"
            now = min([*self._plan, until + 1 if due is None else due])

    def draft(self, change: Callable[[Draft], object]) -> None:
        draft = Draft(self.book)
        change(draft)
        self.book.absorb(draft.changes)

    def reload(self, ruleset: RuleSet, now: Instant) -> None:
        self.ruleset = ruleset
        self.draft(lambda draft: rebind(draft, ruleset, now))

    @property
    def lines(self) -> list[str]:
        """What was told, like ``12:02:30 W firing (first notification) X/a``."""
        return [line(each) for each in self.told]


def line(notification: Notification) -> str:
    what = " ".join(_short(alert) for alert in notification.alerts)
    return f"{clock(notification.at)} {notification.receiver} {notification.kind} ({notification.why}) {what}".rstrip()


def _short(alert: AlertNotice) -> str:
    sign = "+" if alert.status == "firing" else "-"
    return sign + "/".join(filter(None, (alert.label("alertname"), alert.label("task"))))
